package cloud

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/common"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/onedtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/recordertest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// spool is a directory that the front-end can read.
type spool struct {
	directory string
	fail      error
}

var _ transfer.Method = spool{}

func (s spool) Check(context.Context, []transfer.File) error { return s.fail }

func (s spool) Local(file transfer.File) string { return filepath.Join(s.directory, file.Name) }

func (s spool) Send(ctx context.Context, file transfer.File, _ func(string)) (string, error) {
	if err := context.Cause(ctx); err != nil {
		return "", err
	}
	content, err := os.ReadFile(file.Path)
	if err != nil {
		return "", err
	}
	path := filepath.Join(s.directory, file.Name)
	return path, os.WriteFile(path, content, 0o644)
}

func (s spool) Remove(_ context.Context, file transfer.File) error {
	if err := os.Remove(filepath.Join(s.directory, file.Name)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

func (s spool) Close() error { return nil }

// front is the cloud that a test publishes in: a test double, or a real front-end.
type front struct {
	endpoint    string
	credentials opennebula.Credentials
	spool       spool
	poll        time.Duration
}

func double(t *testing.T) (*onedtest.Oned, front) {
	t.Helper()
	oned := onedtest.Start(t, "7.0.0")
	return oned, front{
		endpoint:    oned.Endpoint(),
		credentials: opennebula.Credentials{User: onedtest.User, Secret: onedtest.Password},
		spool:       spool{directory: t.TempDir()},
		poll:        time.Millisecond,
	}
}

// never is longer than any test, so that the lease is not refreshed during the test.
const never = time.Hour

func target() Target {
	return Target{Marketplace: "private", Datastore: "default", Permissions: "644", Timeout: 20 * time.Second}
}

// newImage creates a QCOW2 image with unique contents.
func newImage(t testing.TB, name, osID string) manifest.Disk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.qcow2")
	output, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", path, "20M").CombinedOutput()
	require.NoError(t, err, "%s: run make setup", output)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(t.Name() + name + time.Now().String())
	require.NoError(t, err)
	require.NoError(t, file.Close())
	is, err := digest.File(t.Context(), path, nil)
	require.NoError(t, err)
	m := manifest.Manifest{
		Name: "slm-copilot", Version: "1.0.0", Image: "image.qcow2", Format: "qcow2", Size: 20 << 20,
		FileSize: is.Size, MD5: is.MD5, SHA1: is.SHA1, SHA256: is.SHA256, CreationTime: 1795300000, BuildID: "build-" + name,
	}
	if osID != "" {
		m.OSID, m.OSRelease, m.OSArch = osID, "24.04", "x86_64"
	}
	return manifest.Disk{Path: path, Manifest: m}
}

func newAppliance(t testing.TB, name, version string) Appliance {
	app := app.Default()
	app.Name, app.Version = name, version
	app.Description = "Two lines,\nwith \"quotes\" <and> a back\\slash & more."
	return Appliance{App: app, Disks: []manifest.Disk{newImage(t, version, "ubuntu")}}
}

// run publishes the way the post-processor does.
func (f front) run(ctx context.Context, t testing.TB, a Appliance, target Target, leaseInterval time.Duration, change ...func(*Publisher)) (*Publisher, string, error) {
	t.Helper()
	lines := &recordertest.Lines{}
	client, err := opennebula.New(opennebula.Options{
		Endpoint: f.endpoint, Credentials: f.credentials, HTTP: &http.Client{Timeout: time.Minute}, Say: lines.Say, Poll: f.poll,
	})
	require.NoError(t, err)
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	p := &Publisher{
		Client: client, Transfer: f.spool, Target: target, Appliance: a, Say: lines.Say, Abort: abort, LeaseInterval: leaseInterval,
	}
	for _, c := range change {
		c(p)
	}
	err = step.Run(ctx, &packersdk.MockUi{}, common.PackerConfig{}, "publishing", append(p.Preflight(), p.Steps()...)...)
	return p, lines.Text(), err
}

func (f front) spooled(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir(f.spool.directory)
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		names = append(names, file.Name())
	}
	return names
}
