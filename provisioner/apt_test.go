package provisioner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remotetest"
)

// hold takes a lock the way apt does, until the file is closed.
func hold(t *testing.T, path string) *os.File {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	file, err := os.Create(path)
	require.NoError(t, err)
	t.Cleanup(func() { file.Close() })
	require.NoError(t, unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}))
	return file
}

// whenCalled runs an action as soon as the machine has made the given call.
func whenCalled(t *testing.T, m *remotetest.Machine, call string, action func() error) {
	go func() {
		for t.Context().Err() == nil && !slices.Contains(m.Calls(), call) {
			time.Sleep(time.Millisecond)
		}
		_ = action()
	}()
}

// The lock of the real apt is held by another process, which is this one.
func TestLocksOfAptAreWaitedFor(t *testing.T) {
	// Simulation takes no locks, so update is real, and only install is simulated.
	const simulated = `$(case "$*" in *install*) echo -o APT::Get::Simulate=true ;; esac)`
	for name, tt := range map[string]struct {
		lock string
		step func(*bake, context.Context) error
	}{
		"lists":    {packageStore + "/lists/lock", (*bake).installPackages},
		"archives": {"/cache/archives/lock", (*bake).cleanUp},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(t)
			withAptOptions(t, m, simulated)
			m.Stub("sleep", "/bin/sleep 0.02")
			b, _ := newBake(t, m)
			b.config.PackageDirectory = filled(t)
			require.NoError(t, b.run(t.Context(), "check the free space"))
			lock := hold(t, m.Path(tt.lock))
			whenCalled(t, m, "sleep 5", lock.Close)
			require.NoError(t, tt.step(b, t.Context()))
			assert.Contains(t, m.Calls(), "sleep 5", "it had to wait")
		})
	}
}

func TestLockThatIsNeverReleased(t *testing.T) {
	m := machine(t)
	const held = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)"
	m.Stub("apt-get", `case "$*" in *install*) echo "`+held+`" >&2; exit 100 ;; esac`)
	b, _ := newBake(t, m)
	err := b.installPackages(t.Context())
	require.ErrorContains(t, err, "waiting for another process to end, for 595 of at most 600 seconds: "+held)
	require.ErrorContains(t, err, "gave up after 10 minutes of waiting for another process: "+held)
	assert.NotContains(t, err.Error(), "mirror")
	assert.Equal(t, 120, count(m.Calls(), "sleep 5"))
}

// By default, apt-get update succeeds even if a mirror does not answer.
func TestMirrorThatFails(t *testing.T) {
	m := machine(t)
	withAptOptions(t, m, "-o Acquire::Retries=0")
	m.Write("/etc/apt/sources.list", "deb [trusted=yes] http://127.0.0.1:1/debian stable main\n")
	b, _ := newBake(t, m)
	err := b.installPackages(t.Context())
	for attempt := range 3 {
		require.ErrorContains(t, err, fmt.Sprintf("a package mirror failed (%d of 3 attempts)", attempt+1))
	}
	require.ErrorContains(t, err, "E: Failed to fetch http://127.0.0.1:1/debian/dists/stable/InRelease")
	require.ErrorContains(t, err, "apt-get update failed: the machine needs a package mirror, or package_directory, or a base image that holds nginx certbot")
	assert.Equal(t, 2, count(m.Calls(), "sleep 10"))
}

func TestMirrorThatRecovers(t *testing.T) {
	m := machine(t)
	tries := m.Path("/tries")
	m.Stub("apt-get", `case "$*" in *install*) echo x >>'`+tries+`'
		test $(wc -l <'`+tries+`') -ge 3 || { echo E: Failed to fetch http://mirror/nginx.deb >&2; exit 100; } ;; esac`)
	b, _ := newBake(t, m)
	require.NoError(t, b.installPackages(t.Context()))
	assert.Equal(t, 2, count(m.Calls(), "sleep 10"))
}

func count(calls []string, call string) int {
	return len(slices.DeleteFunc(slices.Clone(calls), func(other string) bool { return other != call }))
}
