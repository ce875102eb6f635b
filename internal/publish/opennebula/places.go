package opennebula

import (
	"context"
	"fmt"
	"strconv"
)

// User is the user that makes the calls.
type User struct {
	ID      int    `xml:"ID"`
	Name    string `xml:"NAME"`
	GroupID int    `xml:"GID"`
	Group   string `xml:"GNAME"`
}

// Self returns the user that makes the call.
func (c *Client) Self(ctx context.Context) (user User, err error) {
	err = c.decode(ctx, &user, "one.user.info", all, false)
	return user, err
}

// Datastore is where images are kept.
type Datastore struct {
	ID   int    `xml:"ID"`
	Name string `xml:"NAME"`
	// Type is 0 for images, 1 for a system datastore, 2 for files.
	Type int `xml:"TYPE"`
	// TotalMB and FreeMB are 0 until the front-end has looked for the first time.
	TotalMB  int64    `xml:"TOTAL_MB"`
	FreeMB   int64    `xml:"FREE_MB"`
	Template Template `xml:"TEMPLATE"`
}

// ImageDatastore is the type of a datastore that takes disk images.
const ImageDatastore = 0

// Datastore finds a datastore by name or id.
func (c *Client) Datastore(ctx context.Context, nameOrID string) (Datastore, error) {
	var pool struct {
		Datastores []Datastore `xml:"DATASTORE"`
	}
	if err := c.decode(ctx, &pool, "one.datastorepool.info"); err != nil {
		return Datastore{}, err
	}
	return pick(pool.Datastores, "datastore", nameOrID, func(d Datastore) (int, string) { return d.ID, d.Name })
}

// Marketplace is where apps are published.
type Marketplace struct {
	ID   int    `xml:"ID"`
	Name string `xml:"NAME"`
	// Driver is the marketplace's driver: "http" and "s3" accept apps, "one" only lists those
	// of others.
	Driver string `xml:"MARKET_MAD"`
	// State is 0 for enabled, 1 for disabled.
	State  int `xml:"STATE"`
	ZoneID int `xml:"ZONE_ID"`
	// TotalMB and FreeMB are 0 until the front-end has looked for the first time.
	TotalMB int64 `xml:"TOTAL_MB"`
	FreeMB  int64 `xml:"FREE_MB"`
}

// Marketplaces returns all marketplaces the user can see.
func (c *Client) Marketplaces(ctx context.Context) ([]Marketplace, error) {
	var pool struct {
		Marketplaces []Marketplace `xml:"MARKETPLACE"`
	}
	err := c.decode(ctx, &pool, "one.marketpool.info")
	return pool.Marketplaces, err
}

// Marketplace finds a marketplace by name or id.
func (c *Client) Marketplace(ctx context.Context, nameOrID string) (Marketplace, error) {
	marketplaces, err := c.Marketplaces(ctx)
	if err != nil {
		return Marketplace{}, err
	}
	return pick(marketplaces, "marketplace", nameOrID, func(m Marketplace) (int, string) { return m.ID, m.Name })
}

// Group finds a group by name or id.
func (c *Client) Group(ctx context.Context, nameOrID string) (id int, err error) {
	type group struct {
		ID   int    `xml:"ID"`
		Name string `xml:"NAME"`
	}
	var pool struct {
		Groups []group `xml:"GROUP"`
	}
	if err := c.decode(ctx, &pool, "one.grouppool.info"); err != nil {
		return 0, err
	}
	found, err := pick(pool.Groups, "group", nameOrID, func(g group) (int, string) { return g.ID, g.Name })
	return found.ID, err
}

// Zone is one zone of a federation.
type Zone struct {
	ID       int    `xml:"ID"`
	Name     string `xml:"NAME"`
	Endpoint string `xml:"TEMPLATE>ENDPOINT"`
}

// Zones returns the zones of the front-end's federation; a front-end outside a federation has
// one zone.
func (c *Client) Zones(ctx context.Context) ([]Zone, error) {
	var pool struct {
		Zones []Zone `xml:"ZONE"`
	}
	err := c.decode(ctx, &pool, "one.zonepool.info")
	return pool.Zones, err
}

// pick finds the one object with the name or, if there is none, the one with the id.
func pick[T any](objects []T, kind, nameOrID string, describe func(T) (int, string)) (found T, err error) {
	var names, matches int
	var seen string
	number, notNumber := strconv.Atoi(nameOrID)
	for _, o := range objects {
		id, name := describe(o)
		seen += fmt.Sprintf(" %q (%d)", name, id)
		if name == nameOrID {
			found, names = o, names+1
		} else if names == 0 && notNumber == nil && id == number {
			found, matches = o, matches+1
		}
	}
	switch {
	case names > 1:
		return found, fmt.Errorf("%d objects of the kind %s are called %q; name it by its number", names, kind, nameOrID)
	case names+matches == 0:
		return found, fmt.Errorf("there is no %s %q that this user can see; these are:%s", kind, nameOrID, orNone(seen))
	}
	return found, nil
}

func orNone(seen string) string {
	if seen == "" {
		return " none"
	}
	return seen
}
