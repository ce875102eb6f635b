package cloud

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// TestAgainstAFrontEnd publishes in a real cloud if these environment variables are set:
// ONE_XMLRPC is its endpoint, ONE_AUTH a file with credentials, and ONE_MARKETPLACE and
// ONE_DATASTORE are where to publish. It must run on the front-end, and removes what it
// creates.
func TestAgainstAFrontEnd(t *testing.T) {
	endpoint := os.Getenv("ONE_XMLRPC")
	if endpoint == "" {
		t.Skip("ONE_XMLRPC names no front-end")
	}
	credentials, err := opennebula.ReadAuthFile(os.Getenv("ONE_AUTH"))
	require.NoError(t, err)
	directory, err := os.MkdirTemp("/var/tmp", "slm-copilot-test-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	require.NoError(t, os.Chmod(directory, 0o755))
	f := front{endpoint: endpoint, credentials: credentials, spool: spool{directory: directory}, poll: 200 * time.Millisecond}
	wanted := target()
	wanted.Marketplace, wanted.Datastore = os.Getenv("ONE_MARKETPLACE"), os.Getenv("ONE_DATASTORE")
	wanted.Timeout, wanted.KeepVersions = time.Minute, 1
	name := "Test of " + time.Now().Format("150405.000")

	first := newAppliance(t, name, "1.0.0")
	first.Disks = append(first.Disks, newImage(t, "model", ""))
	p, said, err := f.run(t.Context(), t, first, wanted, never)
	require.NoError(t, err, said)
	t.Cleanup(func() { removeFamily(t, p) })
	t.Log(said)

	p, said, err = f.run(t.Context(), t, first, wanted, never)
	require.NoError(t, err, said)
	assert.Contains(t, said, "nothing was changed")

	second := newAppliance(t, name, "2.0.0")
	with := wanted
	with.VMTemplate, with.ServiceTemplateApp = true, true
	p, said, err = f.run(t.Context(), t, second, with, never)
	require.NoError(t, err, said)
	t.Log(said)
	app, err := p.Client.App(t.Context(), p.AppID())
	require.NoError(t, err)
	assert.Equal(t, second.system().Manifest.MD5, app.MD5)

	again := newAppliance(t, name, "2.0.0")
	_, _, err = f.run(t.Context(), t, again, with, never)
	require.ErrorContains(t, err, "set force_replace")
	with.ForceReplace = true
	p, said, err = f.run(t.Context(), t, again, with, never)
	require.NoError(t, err, said)
	t.Log(said)
	w, err := takeInventory(t.Context(), p.Client)
	require.NoError(t, err)
	apps, images, templates := count(again, w)
	assert.Equal(t, []int{3, 1, 1}, []int{apps, images, templates})
	assert.Empty(t, f.spooled(t))

	// An import fails if the copy has been altered since it was published.
	label := newRun()
	id, err := p.Client.CreateImage(t.Context(), name+" imported", label, p.datastore.ID, opennebula.Template{
		{Name: "FROM_APP", Value: fmt.Sprint(p.AppID())}, {Name: "MD5", Value: "00000000000000000000000000000000"},
	})
	require.NoError(t, err)
	_, err = p.Client.WaitImage(t.Context(), id)
	assert.ErrorContains(t, err, "Error copying")
	require.NoError(t, p.deleteImage(t.Context(), id))
}

func count(a Appliance, w inventory) (apps, images, templates int) {
	for _, seen := range w.apps {
		if seen.Template.Get(labelFamily) == a.family() {
			apps++
		}
	}
	for _, seen := range w.images {
		if seen.Template.Get(labelFamily) == a.family() {
			images++
		}
	}
	for _, seen := range w.templates {
		if seen.Template.Get(labelFamily) == a.family() {
			templates++
		}
	}
	return apps, images, templates
}

// removeFamily deletes all objects of the appliance.
func removeFamily(t *testing.T, p *Publisher) {
	// The test's own context has ended by now.
	ctx, family := context.WithoutCancel(t.Context()), p.Appliance.family()
	w, err := takeInventory(ctx, p.Client)
	require.NoError(t, err)
	for _, seen := range w.apps {
		if seen.Template.Get(labelFamily) == family {
			assert.NoError(t, p.deleteApp(ctx, seen.ID))
		}
	}
	for _, seen := range w.templates {
		if seen.Template.Get(labelFamily) == family {
			assert.NoError(t, p.Client.DeleteVMTemplate(ctx, seen.ID))
		}
	}
	for _, seen := range w.images {
		if seen.Template.Get(labelFamily) == family {
			assert.NoError(t, p.deleteImage(ctx, seen.ID))
		}
	}
}
