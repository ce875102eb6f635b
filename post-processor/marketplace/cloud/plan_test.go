package cloud

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

func TestEveryKindOfNameMayBeTaken(t *testing.T) {
	a := newAppliance(t, "Copilot", "1.0.0")
	with := target()
	with.VMTemplate = true
	_, err := a.plan(with, 100, 1, inventory{
		apps:      []opennebula.App{{ID: 7, Name: a.title(), State: opennebula.AppReady, Source: "x", MarketplaceID: 100}},
		images:    []opennebula.Image{{ID: 8, Name: a.imageName(0), State: opennebula.ImageReady, DatastoreID: 1}},
		templates: []opennebula.VMTemplate{{ID: 9, Name: a.title()}},
	})
	require.Error(t, err)
	for _, want := range []string{"app 7 of marketplace 100", "image 8 of datastore 1", "VM template 9"} {
		assert.ErrorContains(t, err, want)
	}
}

func TestNamesAreCheckedInEveryFormTheyTake(t *testing.T) {
	a := newAppliance(t, strings.Repeat("x", 112), "1.0.0")
	_, err := a.plan(target(), 100, 1, inventory{})
	require.ErrorContains(t, err, "(publishing)\" made of them must have at most 128 bytes")
	a.App.Name = strings.Repeat("x", 108)
	_, err = a.plan(target(), 100, 1, inventory{})
	assert.NoError(t, err)
}

func TestLeftoversAreTakenAway(t *testing.T) {
	a := newAppliance(t, "Copilot", "1.0.0")
	labelled := a.labels(partSystem, a.system().Manifest.SHA256)
	p, err := a.plan(target(), 100, 1, inventory{
		// What a rejected allocation leaves behind has no label.
		apps:   []opennebula.App{{ID: 7, Name: a.title(), State: opennebula.AppError, MarketplaceID: 100}},
		images: []opennebula.Image{{ID: 8, Name: a.imageName(0), State: opennebula.ImageError, DatastoreID: 1, Template: labelled}},
	})
	require.NoError(t, err)
	assert.Equal(t, 7, p.apps[0].broken[0].ID)
	assert.Equal(t, 8, p.images[0].broken[0].ID)
	assert.True(t, p.apps[0].isMissing() && p.images[0].isMissing())
}

func TestOnlyOldVersionsOfTheFamilyArePruned(t *testing.T) {
	a, other := newAppliance(t, "Copilot", "3.0.0"), newAppliance(t, "Another", "3.0.0")
	of := func(a Appliance, part, version string) opennebula.Template {
		a.App.Version = version
		return a.labels(part, "0123")
	}
	keep := target()
	keep.KeepVersions = 2
	pruned := a.planPruning(keep, 100, inventory{
		apps: []opennebula.App{
			{ID: 1, MarketplaceID: 100, RegTime: 1, Template: of(a, partSystem, "1.0.0")},
			{ID: 2, MarketplaceID: 100, RegTime: 2, Template: of(a, partSystem, "2.0.0")},
			{ID: 3, MarketplaceID: 100, RegTime: 9, Template: of(other, partSystem, "9.0.0")},
			{ID: 4, MarketplaceID: 100, RegTime: 1, Template: of(other, partSystem, "1.0.0")},
			{ID: 5, MarketplaceID: 101, RegTime: 1, Template: of(a, partSystem, "1.0.0")},
			{ID: 6, MarketplaceID: 101, RegTime: 9, Template: of(a, partSystem, "8.0.0")},
		},
		templates: []opennebula.VMTemplate{
			{ID: 11, Template: of(a, partVM, "1.0.0")},
			{ID: 12, Template: of(a, partVM, "2.0.0")},
			{ID: 13, Template: of(other, partVM, "1.0.0")},
			{ID: 14, Template: of(a, partLease, "1.0.0")},
		},
		images: []opennebula.Image{
			{ID: 21, Template: of(a, partSystem, "1.0.0")},
			{ID: 22, Template: of(a, partSystem, "2.0.0")},
			{ID: 23, Template: of(other, partSystem, "1.0.0")},
			{ID: 24, Template: of(a, partSystem, "3.0.0")}, // belongs to another build
			{ID: 25, Template: of(other, partSystem, "3.0.0")},
			{ID: 26, Template: a.labels(partSystem, a.system().Manifest.SHA256)},
		},
	})
	assert.Equal(t, []string{"1.0.0"}, pruned.versions)
	var apps, templates, images []int
	for _, app := range pruned.apps {
		apps = append(apps, app.ID)
	}
	for _, template := range pruned.templates {
		templates = append(templates, template.ID)
	}
	for _, image := range pruned.images {
		images = append(images, image.ID)
	}
	assert.Equal(t, []int{1}, apps)
	assert.Equal(t, []int{11}, templates)
	assert.Equal(t, []int{21, 24}, images)
}
