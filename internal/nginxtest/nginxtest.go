// Package nginxtest runs the real nginx over a site, on the loopback address, until the
// test ends.
package nginxtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const startTimeout = time.Minute

// FreeAddress is a port of 127.0.0.1 on which nobody listens now.
func FreeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// Run starts nginx with the text of a site and returns when it listens on the addresses.
func Run(t *testing.T, site []byte, addresses ...string) {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	require.NoError(t, err, "nginx is missing: run make setup")
	dir := t.TempDir()
	sitePath, config := filepath.Join(dir, "site.conf"), filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(sitePath, site, 0o600))
	require.NoError(t, os.WriteFile(config, mainConfig(dir, sitePath), 0o600))

	var stderr strings.Builder
	command := exec.Command(nginx, "-e", "stderr", "-c", config)
	command.Stderr = &stderr
	// nginx dies with the test, even if the test is killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	require.NoError(t, command.Start())
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	for _, address := range addresses {
		if !listens(address, ended) {
			_ = command.Process.Kill()
			<-ended
			t.Fatalf("nginx does not listen on %s: %s", address, stderr.String())
		}
	}
}

// listens waits until somebody does, or nginx ended.
func listens(address string, ended <-chan struct{}) bool {
	deadline := time.After(startTimeout)
	for {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
			return true
		}
		select {
		case <-ended:
			return false
		case <-deadline:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// mainConfig is the least nginx needs around a site, with every path in dir.
func mainConfig(dir, site string) []byte {
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // the directory of a test is closed to others
	}
	temp := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	return fmt.Appendf(nil, "%s\ndaemon off;\npid %s/pid;\nevents {}\nhttp {\naccess_log off;\n%sinclude %s;\n}\n", user, dir, temp, site)
}
