package opennebula

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/onedtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/recordertest"
)

func against(t *testing.T, version string) (*onedtest.Oned, *Client) {
	t.Helper()
	oned := onedtest.Start(t, version)
	client, err := New(Options{
		Endpoint: oned.Endpoint(), Credentials: Credentials{onedtest.User, onedtest.Password}, HTTP: &http.Client{Timeout: time.Minute},
		Say: new(recordertest.Lines).Say, Poll: time.Millisecond,
	})
	require.NoError(t, err)
	return oned, client
}

// The same refusals have other codes and texts in 7.4.
var versions = []string{"7.0.0", "7.4.0"}

func TestARefusedAppLeavesNothing(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			oned, client := against(t, version)
			_, err := client.CreateApp(t.Context(), "app", Label{"RUN", "1"}, 100, Template{{Name: "TYPE", Value: "IMAGE"}, {Name: "ORIGIN_ID", Value: "4242"}})
			require.ErrorContains(t, err, "Image does not exist")
			assert.Contains(t, oned.Calls(), "one.marketapp.delete", "oned itself leaves it in ERROR")
			assert.Eventually(t, func() bool { return len(oned.Apps()) == 0 }, 10*time.Second, time.Millisecond)
		})
	}
}

func TestANameIsToldByItsTextWhateverTheCode(t *testing.T) {
	app := Template{{Name: "TYPE", Value: "VMTEMPLATE"}, {Name: "ORIGIN_ID", Value: "-1"}}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			_, client := against(t, version)
			ctx := t.Context()
			var taken *TakenError
			id, err := client.CreateApp(ctx, "x", Label{"RUN", "1"}, 100, app)
			require.NoError(t, err)
			_, err = client.CreateApp(ctx, "x", Label{"RUN", "2"}, 100, app)
			require.ErrorAs(t, err, &taken)
			assert.Equal(t, TakenError{"x", "MARKETPLACEAPP", id}, *taken)

			id, err = client.CreateVMTemplate(ctx, "x", Label{"RUN", "1"}, nil)
			require.NoError(t, err)
			_, err = client.CreateVMTemplate(ctx, "x", Label{"RUN", "2"}, nil)
			require.ErrorAs(t, err, &taken)
			assert.Equal(t, TakenError{"x", "TEMPLATE", id}, *taken)

			block := Template{{Name: "TYPE", Value: "DATABLOCK"}, {Name: "SIZE", Value: "1"}}
			id, err = client.CreateImage(ctx, "x", Label{"RUN", "1"}, 1, block)
			require.NoError(t, err)
			_, err = client.CreateImage(ctx, "x", Label{"RUN", "2"}, 1, block)
			require.ErrorAs(t, err, &taken)
			assert.Equal(t, TakenError{"x", "IMAGE", id}, *taken)
		})
	}
}

func TestALostAllocationIsFoundAndNotRepeated(t *testing.T) {
	oned, client := against(t, "7.0.0")
	oned.FailCall(0, onedtest.LoseAnswer)
	id, err := client.CreateVMTemplate(t.Context(), "x", Label{"RUN", "1"}, nil)
	require.NoError(t, err)
	require.Len(t, oned.Templates(), 1)
	assert.Equal(t, oned.Templates()[0].ID, id)
	assert.Equal(t, []string{"one.template.allocate", "one.templatepool.info"}, oned.Calls())
}

func TestProbesMakeNothing(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			oned, client := against(t, version)
			require.NoError(t, client.CheckImage(t.Context(), 1, 10))
			require.NoError(t, client.CheckApp(t.Context(), "app", 100))
			oned.SetQuota()
			assert.True(t, IsAuthorization(client.CheckImage(t.Context(), 1, 10)))
			oned.Revoke()
			assert.True(t, IsAuthorization(client.CheckApp(t.Context(), "app", 100)))
			assert.Empty(t, oned.Images())
			assert.Empty(t, oned.Apps())
		})
	}
}

func TestWhetherACloudHasOneGate(t *testing.T) {
	oned, client := against(t, "7.4.0")
	missing, err := client.MissesOneGate(t.Context())
	require.NoError(t, err)
	assert.False(t, missing)
	oned.WithoutOneGate()
	missing, err = client.MissesOneGate(t.Context())
	require.NoError(t, err)
	assert.True(t, missing)
}

func TestWhatIsGoneIsNoErrorToDelete(t *testing.T) {
	_, client := against(t, "7.0.0")
	require.NoError(t, client.DeleteApp(t.Context(), 4242))
	require.NoError(t, client.DeleteImage(t.Context(), 4242))
	require.NoError(t, client.DeleteVMTemplate(t.Context(), 4242))
	_, err := client.App(t.Context(), 4242)
	assert.True(t, IsGone(err))
}

func TestPlacesGoByNameBeforeNumber(t *testing.T) {
	_, client := against(t, "7.0.0")
	for nameOrID, want := range map[string]int{"private": 100, "100": 100, "bucket": 102} {
		m, err := client.Marketplace(t.Context(), nameOrID)
		require.NoError(t, err)
		assert.Equal(t, want, m.ID)
	}
	type thing struct {
		id   int
		name string
	}
	things := []thing{{1, "2"}, {2, "x"}, {3, "x"}}
	describe := func(o thing) (int, string) { return o.id, o.name }
	found, err := pick(things, "thing", "2", describe)
	require.NoError(t, err)
	assert.Equal(t, 1, found.id, "it is called so")
	_, err = pick(things, "thing", "x", describe)
	assert.ErrorContains(t, err, "name it by its number")
	_, err = pick(things, "thing", "y", describe)
	assert.ErrorContains(t, err, `there is no thing "y"`)
}
