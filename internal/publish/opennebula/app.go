package opennebula

import (
	"context"
	"fmt"
)

// AppState is the state of a marketplace app.
type AppState int

// The states of an app (OpenNebula's include/MarketPlaceApp.h).
const (
	AppReady    AppState = 1
	AppLocked   AppState = 2
	AppError    AppState = 3
	AppDisabled AppState = 4
)

var appStates = []string{"INIT", "READY", "LOCKED", "ERROR", "DISABLED"}

func (s AppState) String() string { return nameOf(appStates, int(s)) }

// AppType says what an app becomes when it is imported.
type AppType int

// The types of apps.
const (
	AppImage           AppType = 1
	AppVMTemplate      AppType = 2
	AppServiceTemplate AppType = 3
)

var appTypes = []string{"UNKNOWN", "IMAGE", "VMTEMPLATE", "SERVICE_TEMPLATE"}

func (t AppType) String() string { return nameOf(appTypes, int(t)) }

// App is one app of a marketplace.
type App struct {
	ID            int         `xml:"ID"`
	OwnerID       int         `xml:"UID"`
	Owner         string      `xml:"UNAME"`
	GroupID       int         `xml:"GID"`
	Name          string      `xml:"NAME"`
	State         AppState    `xml:"STATE"`
	Type          AppType     `xml:"TYPE"`
	Permissions   Permissions `xml:"PERMISSIONS"`
	MarketplaceID int         `xml:"MARKETPLACE_ID"`
	// OriginID is the image it was copied from; -1 for types that have none.
	OriginID int    `xml:"ORIGIN_ID"`
	Version  string `xml:"VERSION"`
	// RegTime is in seconds since 1970.
	RegTime int64 `xml:"REGTIME"`
	// SizeMB, MD5, Format and Source are set by the marketplace's driver when it is done.
	// The MD5 is that of the file in the datastore, which may have been converted.
	SizeMB   int64    `xml:"SIZE"`
	MD5      string   `xml:"MD5"`
	Format   string   `xml:"FORMAT"`
	Source   string   `xml:"SOURCE"`
	Template Template `xml:"TEMPLATE"`
}

// Apps returns the apps of the user, in all marketplaces.
func (c *Client) Apps(ctx context.Context) ([]App, error) { return c.apps(ctx, mine) }

// AllApps returns the apps of all users that the user can see.
func (c *Client) AllApps(ctx context.Context) ([]App, error) { return c.apps(ctx, everybody) }

func (c *Client) apps(ctx context.Context, who int) ([]App, error) {
	var pool struct {
		Apps []App `xml:"MARKETPLACEAPP"`
	}
	err := c.decode(ctx, &pool, "one.marketapppool.info", who, all, all)
	return pool.Apps, err
}

// App returns one app.
func (c *Client) App(ctx context.Context, id int) (app App, err error) {
	err = c.decode(ctx, &app, "one.marketapp.info", id, false)
	return app, err
}

// CreateApp creates an app with the type and the ORIGIN_ID in the template. An app of type
// IMAGE is LOCKED when the call returns. A refused call may leave an app in ERROR that holds
// the name; CreateApp deletes it.
func (c *Client) CreateApp(ctx context.Context, name string, label Label, marketplace int, template Template) (int, error) {
	find := func(ctx context.Context) (objects []named, err error) {
		apps, err := c.Apps(ctx)
		for _, a := range apps {
			objects = append(objects, named{a.ID, a.Name, a.Template})
		}
		return objects, err
	}
	a := allocation{"one.marketapp.allocate", name, label, find}
	id, err := c.allocate(ctx, a, template, marketplace)
	if _, refused := asRefused(err); !refused {
		return id, err
	}
	left, found, findErr := c.lookUp(ctx, a)
	if findErr != nil || !found {
		return 0, err
	}
	if deleteErr := c.DeleteApp(ctx, left); deleteErr != nil {
		return 0, fmt.Errorf("%w; it left app %d behind, which holds the name: onemarketapp delete %d", err, left, left)
	}
	return 0, err
}

// CheckApp checks whether the user may create an app in a marketplace: the error names the
// missing right, or the reason why no app can be created. Nothing is created, because the
// requested app has no origin.
func (c *Client) CheckApp(ctx context.Context, name string, marketplace int) error {
	return c.probe(ctx, "one.marketapp.allocate", "Missing ORIGIN_ID", Template{
		{Name: "NAME", Value: name},
		{Name: "TYPE", Value: AppImage.String()},
	}, marketplace)
}

// UpdateApp merges attributes into an app; those with the same name are replaced.
func (c *Client) UpdateApp(ctx context.Context, id int, template Template) error {
	return c.merge(ctx, "one.marketapp.update", id, template)
}

// EnableApp makes a DISABLED app READY. It does nothing to one that is LOCKED or in ERROR.
func (c *Client) EnableApp(ctx context.Context, id int) error {
	return c.change(ctx, "one.marketapp.enable", id, true)
}

// ChmodApp sets the permissions of an app.
func (c *Client) ChmodApp(ctx context.Context, id int, p Permissions) error {
	return c.change(ctx, "one.marketapp.chmod", append([]any{id}, p.arguments()...)...)
}

// ChgrpApp gives an app to a group.
func (c *Client) ChgrpApp(ctx context.Context, id, group int) error {
	return c.change(ctx, "one.marketapp.chown", id, unchanged, group)
}

// RenameApp gives an app another name.
func (c *Client) RenameApp(ctx context.Context, id int, name string) error {
	return c.change(ctx, "one.marketapp.rename", id, name)
}

// DeleteApp deletes an app with its file; one that no longer exists is not an error. The
// deletion finishes later, see WaitAppGone. If the app is LOCKED, its file stays in the
// marketplace.
func (c *Client) DeleteApp(ctx context.Context, id int) error {
	return c.remove(ctx, "one.marketapp.delete", id)
}
