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
	_, err := a.plan(with, 100, 1, world{
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
	_, err := a.plan(target(), 100, 1, world{})
	require.ErrorContains(t, err, "(publishing)\" made of them must have at most 128 bytes")
	a.App.Name = strings.Repeat("x", 108)
	_, err = a.plan(target(), 100, 1, world{})
	assert.NoError(t, err)
}

func TestLeftoversAreTakenAway(t *testing.T) {
	a := newAppliance(t, "Copilot", "1.0.0")
	marked := a.marks(partSystem, a.system().Manifest.SHA256)
	p, err := a.plan(target(), 100, 1, world{
		// What a refused allocation leaves has no mark.
		apps:   []opennebula.App{{ID: 7, Name: a.title(), State: opennebula.AppError, MarketplaceID: 100}},
		images: []opennebula.Image{{ID: 8, Name: a.imageName(0), State: opennebula.ImageError, DatastoreID: 1, Template: marked}},
	})
	require.NoError(t, err)
	assert.Equal(t, 7, p.apps[0].broken[0].ID)
	assert.Equal(t, 8, p.images[0].broken[0].ID)
	assert.True(t, p.apps[0].isMissing() && p.images[0].isMissing())
}
