package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// stepConnect looks up the user, the marketplace, the datastore and the group.
type stepConnect struct{ *Publisher }

func (s *stepConnect) Run(ctx context.Context) error {
	version, err := s.Client.Version(ctx)
	if err != nil {
		return err
	}
	if s.user, err = s.Client.Self(ctx); err != nil {
		return err
	}
	s.Say(fmt.Sprintf("OpenNebula %s, as user %s of group %s", version, s.user.Name, s.user.Group))
	if err := s.findPlaces(ctx); err != nil {
		return err
	}
	return errors.Join(s.checkMarketplace(ctx), s.checkDatastore(), s.checkNames(ctx))
}

// findPlaces reports all missing objects in one error.
func (s *stepConnect) findPlaces(ctx context.Context) error {
	var marketErr, storeErr, groupErr error
	s.marketplace, marketErr = s.Client.Marketplace(ctx, s.Target.Marketplace)
	s.datastore, storeErr = s.Client.Datastore(ctx, s.Target.Datastore)
	s.group = -1
	if s.Target.Group != "" {
		s.group, groupErr = s.Client.Group(ctx, s.Target.Group)
	}
	return errors.Join(marketErr, storeErr, groupErr)
}

func (s *stepConnect) checkMarketplace(ctx context.Context) error {
	m := s.marketplace
	switch {
	case m.Driver != "http" && m.Driver != "s3":
		return fmt.Errorf("marketplace %q is of the kind %q, which takes no apps; name one of the kind http or s3", m.Name, m.Driver)
	case m.State != 0:
		return fmt.Errorf("marketplace %q is disabled; ask an administrator for: onemarket enable %d (disabling one again drops the records of its apps)", m.Name, m.ID)
	}
	zones, err := s.Client.Zones(ctx)
	if opennebula.IsAuthorization(err) {
		return nil // The front-end itself checks the zone.
	}
	if err != nil {
		return err
	}
	if len(zones) == 1 && zones[0].ID != m.ZoneID {
		return fmt.Errorf("marketplace %q belongs to zone %d, the endpoint to zone %d; use the endpoint of that zone", m.Name, m.ZoneID, zones[0].ID)
	}
	return nil
}

func (s *stepConnect) checkDatastore() error {
	if s.datastore.Type != opennebula.ImageDatastore {
		return fmt.Errorf("datastore %q is not for disk images; name one of type IMAGE_DS", s.datastore.Name)
	}
	return nil
}

// checkNames protects oneadmin's apps: an app listed by a marketplace of the kind "one"
// overwrites an app of oneadmin with the same name.
func (s *stepConnect) checkNames(ctx context.Context) error {
	if s.user.ID != 0 {
		return nil
	}
	marketplaces, err := s.Client.Marketplaces(ctx)
	if err != nil {
		return err
	}
	apps, err := s.Client.AllApps(ctx)
	if err != nil {
		return err
	}
	for _, app := range apps {
		listed := slices.ContainsFunc(marketplaces, func(m opennebula.Marketplace) bool { return m.ID == app.MarketplaceID && m.Driver == "one" })
		if listed && app.Name == s.Appliance.title() {
			return fmt.Errorf("marketplace %d lists an app %q too, and would overwrite one of oneadmin: publish as another user, or set app.name to another name",
				app.MarketplaceID, app.Name)
		}
	}
	s.Say("Publishing as oneadmin: an app of this name in a marketplace of the kind \"one\" would overwrite it. Another user is safe from that")
	return nil
}
