package sftp

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// server is a real sshd on this machine.
type server struct {
	address string
	host    ssh.PublicKey
	// options are those of somebody who may log in.
	options Options
}

// launch says how a server differs.
type launch struct {
	// settings are options of sshd_config.
	settings []string
	// shell is run before sshd, in the process that becomes it.
	shell string
	// subsystem is "sftp internal-sftp" if it is empty.
	subsystem string
}

func startServer(t testing.TB, how launch) *server {
	t.Helper()
	require.NoError(t, os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin"))
	program, err := exec.LookPath("sshd")
	require.NoError(t, err, "sshd is missing: run make setup")
	if os.Geteuid() == 0 {
		// The package's own service makes it when it starts, which it does not.
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	}
	dir := openDir(t)
	s := &server{address: freeAddress(t)}
	var hostKeys []string
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		path := filepath.Join(dir, "host_"+kind)
		s.host = writeKey(t, path, kind)
		hostKeys = append(hostKeys, "HostKey="+path)
	}
	login := writeKey(t, filepath.Join(dir, "key"), "ed25519")
	authorized := filepath.Join(dir, "authorized")
	require.NoError(t, os.WriteFile(authorized, ssh.MarshalAuthorizedKey(login), 0o644))

	settings := append([]string{"ListenAddress=" + s.address, "AuthorizedKeysFile=" + authorized, "StrictModes=no",
		"UsePAM=no", "PidFile=none", "Subsystem=" + cmp.Or(how.subsystem, "sftp internal-sftp"), "LogLevel=VERBOSE", "KbdInteractiveAuthentication=no"}, hostKeys...)
	args := []string{"-c", how.shell + "\nexec \"$@\"", "sh", program, "-D", "-e", "-f", "/dev/null"}
	for _, setting := range append(settings, how.settings...) {
		args = append(args, "-o", setting)
	}
	run(t, exec.Command("sh", args...))
	awaitListener(t, s.address)
	me, err := user.Current()
	require.NoError(t, err)
	s.options = s.optionsFor(t, s.address)
	s.options.User, s.options.PrivateKeyFile = me.Username, filepath.Join(dir, "key")
	return s
}

// optionsFor reach the server at another address, which is that of a proxy.
func (s *server) optionsFor(t testing.TB, address string) Options {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	options := s.options
	options.Host = host
	_, err = fmt.Sscan(port, &options.Port)
	require.NoError(t, err)
	options.KnownHostsFile = knownHosts(t, knownhosts.Line([]string{address}, s.host))
	options.Directory = openDir(t)
	return options
}

func knownHosts(t testing.TB, lines ...string) string {
	path := filepath.Join(t.TempDir(), "known_hosts")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return path
}

// openDir is a directory that other users reach.
func openDir(t testing.TB) string {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	return dir
}

// run has a program run as long as the test. What it says is logged if the test fails.
func run(t testing.TB, command *exec.Cmd) {
	t.Helper()
	var said bytes.Buffer
	command.Stderr = &said
	// A connection that is still open keeps a process of its own.
	command.WaitDelay = time.Second
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func awaitListener(t testing.TB, address string) {
	t.Helper()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 20*time.Second, 10*time.Millisecond, "nobody listens at %s", address)
}

// writeKey makes a private key without a passphrase.
func writeKey(t testing.TB, path, kind string) ssh.PublicKey {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	public, err := ssh.NewPublicKey(key.Public())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(public), 0o644))
	return public
}
