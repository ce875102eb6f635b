// Package nginxtest runs the real nginx over a site, on the loopback address, until the
// test ends.
package nginxtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 10 * time.Second
)

// FreeAddress is a port of 127.0.0.1 on which nobody listens now.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// Server is an nginx that runs.
type Server struct {
	// Dir is where nginx keeps its own files: in client_body, for instance, the bodies of
	// requests that it does not hold in memory.
	Dir string
	// Config is the path of the main configuration, so that a test can have nginx check it.
	Config string

	command *exec.Cmd
	ended   chan struct{}
}

// Run starts nginx with the text of a site and returns when it listens on the addresses.
// Its workers may read whatever the test may. What it says is logged if the test fails.
func Run(t testing.TB, site []byte, addresses ...string) *Server {
	t.Helper()
	// The directory of a test is closed to others.
	return RunAs(t, "root", site, addresses...)
}

// RunAs is Run with workers of a given user, so that files which are root's are closed to
// them as on a real machine. Only root can do that: elsewhere they are the test's user.
func RunAs(t testing.TB, user string, site []byte, addresses ...string) *Server {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	require.NoError(t, err, "nginx is missing: run make setup")
	s := &Server{Dir: t.TempDir(), ended: make(chan struct{})}
	s.Config = s.path("nginx.conf")
	require.NoError(t, os.WriteFile(s.path("site.conf"), site, 0o600))
	require.NoError(t, os.WriteFile(s.Config, s.mainConfig(user), 0o600))
	// A file, not a pipe: no worker can keep the test waiting for its end.
	stderr, err := os.Create(s.path("stderr"))
	require.NoError(t, err)
	defer stderr.Close()

	// The prefix keeps a relative path in a site from meaning the machine's own nginx.
	s.command = exec.CommandContext(t.Context(), nginx, "-p", s.Dir, "-e", "stderr", "-c", s.Config)
	s.command.Stderr = stderr
	// nginx dies with the test, even if the test is killed.
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	s.command.Cancel = func() error { return s.command.Process.Signal(syscall.SIGTERM) }
	s.command.WaitDelay = stopTimeout
	require.NoError(t, s.command.Start())
	go func() {
		_ = s.command.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() {
		<-s.ended // the test's context is over
		if t.Failed() {
			said, _ := os.ReadFile(stderr.Name())
			t.Logf("nginx said: %s", said)
		}
	})
	s.await(t, addresses)
	return s
}

// Reload has nginx read its configuration and its certificates again, and does not wait for
// that: workers of before may answer for a while. It fails if nginx does not run any more.
func (s *Server) Reload() error {
	if err := s.command.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload nginx: %w", err)
	}
	return nil
}

// await waits until nginx listens and understands signals: only then it notes its process id.
func (s *Server) await(t testing.TB, addresses []string) {
	t.Helper()
	deadline := time.After(startTimeout)
	for {
		if id, _ := os.ReadFile(s.path("pid")); len(id) > 0 {
			break
		}
		select {
		case <-s.ended:
			t.Fatal("nginx ended instead of listening")
		case <-deadline:
			t.Fatalf("nginx does not listen after %s", startTimeout)
		case <-time.After(10 * time.Millisecond):
		}
	}
	for _, address := range addresses {
		connection, err := net.Dial("tcp", address)
		require.NoError(t, err, "nginx does not listen where the test expects it")
		connection.Close()
	}
}

func (s *Server) path(name string) string { return filepath.Join(s.Dir, name) }

// mainConfig is the least nginx needs around a site, with every path in the directory.
func (s *Server) mainConfig(user string) []byte {
	config := fmt.Sprintf("daemon off;\npid %s;\nerror_log stderr;\nevents {}\n", s.path("pid"))
	if os.Geteuid() == 0 {
		config += fmt.Sprintf("user %s;\n", user)
	}
	config += "http {\naccess_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		config += fmt.Sprintf("%s_temp_path %s;\n", kind, s.path(kind))
	}
	return fmt.Appendf(nil, "%sinclude %s;\n}\n", config, s.path("site.conf"))
}
