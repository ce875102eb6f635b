// Package nginxtest runs the real nginx with a site, on the loopback address, until the test
// ends.
package nginxtest

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxrun"
)

// FreeAddress returns an address of 127.0.0.1 with a port that is currently free.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// Run starts nginx with a site and returns when it listens on the addresses. Its workers can
// read whatever the test can. Its output is logged if the test fails.
func Run(t testing.TB, site []byte, addresses ...string) *nginxrun.Server {
	t.Helper()
	// The temporary directory of a test is not accessible to other users.
	return RunAs(t, "root", site, addresses...)
}

// RunAs is Run with workers of a given user, so that files of root are inaccessible to them as
// on a real machine. Only root can do that; otherwise the workers run as the test's user.
func RunAs(t testing.TB, user string, site []byte, addresses ...string) *nginxrun.Server {
	t.Helper()
	// A file, not a pipe: a worker that keeps a pipe open would make the test wait.
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	require.NoError(t, err)
	defer stderr.Close()
	t.Cleanup(func() {
		if t.Failed() {
			said, _ := os.ReadFile(stderr.Name())
			t.Logf("nginx said: %s", said)
		}
	})
	s, err := nginxrun.Start(t.Context(), t.TempDir(), user, site, stderr)
	if s != nil {
		t.Cleanup(func() { <-s.Ended() }) // the test's context is over
	}
	require.NoError(t, err)
	for _, address := range addresses {
		connection, err := net.Dial("tcp", address)
		require.NoError(t, err, "nginx does not listen where the test expects it")
		connection.Close()
	}
	return s
}
