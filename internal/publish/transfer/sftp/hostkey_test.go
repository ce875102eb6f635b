package sftp

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/recordertest"
)

// keyscan asks the server for the key of one kind, as a person would.
func keyscan(t *testing.T, s *server, kind string) string {
	t.Helper()
	port := s.address[strings.LastIndex(s.address, ":")+1:]
	output, err := exec.CommandContext(t.Context(), "ssh-keyscan", "-t", kind, "-p", port, "127.0.0.1").Output()
	require.NoError(t, err)
	require.NotEmpty(t, output)
	return strings.TrimSpace(string(output))
}

// A server has keys of three kinds, and any one of them may be the one that is known.
func TestAnyKnownKeyWillDo(t *testing.T) {
	s := startServer(t, launch{})
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		t.Run(kind, func(t *testing.T) {
			options := s.options
			options.KnownHostsFile = knownHosts(t, "# a comment", "", keyscan(t, s, kind))
			assert.NoError(t, New(options).Check(t.Context(), nil))

			output, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-H", "-f", options.KnownHostsFile).CombinedOutput()
			require.NoError(t, err, string(output))
			assert.NoError(t, New(options).Check(t.Context(), nil), "with hashed host names")
		})
	}
}

func TestUnknownHost(t *testing.T) {
	s := startServer(t, launch{})
	for name, file := range map[string]string{
		"other hosts are known": knownHosts(t, knownhosts.Line([]string{"other.example.org"}, s.host)),
		"no file":               filepath.Join(t.TempDir(), "known_hosts"),
	} {
		t.Run(name, func(t *testing.T) {
			options := s.options
			options.KnownHostsFile = file
			err := New(options).Check(t.Context(), nil)
			require.ErrorContains(t, err, "connect to "+options.shown()+": the server is not known: if its host key has the fingerprint ")
			_, line, found := strings.Cut(err.Error(), "add this line to "+file+": ")
			require.True(t, found, err)

			// What it says to do is what helps.
			options.KnownHostsFile = knownHosts(t, line)
			assert.NoError(t, New(options).Check(t.Context(), nil))
		})
	}
}

func TestChangedAndRevokedHostKeys(t *testing.T) {
	s := startServer(t, launch{})
	other := writeKey(t, filepath.Join(t.TempDir(), "other"), "ed25519")
	options := s.options

	options.KnownHostsFile = knownHosts(t, "# first", knownhosts.Line([]string{s.address}, other))
	err := New(options).Check(t.Context(), nil)
	require.ErrorContains(t, err, "the server's host key (ssh-ed25519 "+ssh.FingerprintSHA256(s.host)+") is not the one in "+options.KnownHostsFile+":2: the connection may be intercepted")
	_, err = New(options).Send(t.Context(), image(t, 1), (&recordertest.Lines{}).Say)
	assert.ErrorContains(t, err, "the connection may be intercepted", "it is not tried again")

	_, command, _ := strings.Cut(err.Error(), "run: ")
	command, _, _ = strings.Cut(command, ", and")
	output, runErr := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput()
	require.NoError(t, runErr, string(output))
	assert.ErrorContains(t, New(options).Check(t.Context(), nil), "is not known", "the command that it names removes the old key")

	options.KnownHostsFile = knownHosts(t, knownhosts.Line([]string{s.address}, s.host), "@revoked * "+string(ssh.MarshalAuthorizedKey(s.host)))
	assert.ErrorContains(t, New(options).Check(t.Context(), nil), "is revoked in "+options.KnownHostsFile+":2: do not trust it any more")

	options.KnownHostsFile = knownHosts(t, "nonsense")
	assert.ErrorContains(t, New(options).Check(t.Context(), nil), "read the known hosts: ")
}

// An authority signs the keys of many hosts, so that nobody has to note each of them.
func TestHostCertificates(t *testing.T) {
	dir := t.TempDir()
	authority := writeKey(t, filepath.Join(dir, "authority"), "ed25519")
	writeKey(t, filepath.Join(dir, "host"), "ecdsa")
	output, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-s", filepath.Join(dir, "authority"), "-I", "host", "-h", "-n", "127.0.0.1", filepath.Join(dir, "host.pub")).CombinedOutput()
	require.NoError(t, err, string(output))
	s := startServer(t, launch{settings: []string{"HostKey=" + filepath.Join(dir, "host"), "HostCertificate=" + filepath.Join(dir, "host-cert.pub")}})

	options := s.options
	options.KnownHostsFile = knownHosts(t, "@cert-authority "+knownhosts.Line([]string{s.address}, authority))
	assert.NoError(t, New(options).Check(t.Context(), nil))

	stranger := writeKey(t, filepath.Join(dir, "stranger"), "ed25519")
	options.KnownHostsFile = knownHosts(t, "@cert-authority "+knownhosts.Line([]string{s.address}, stranger))
	assert.ErrorContains(t, New(options).Check(t.Context(), nil), "is not to be trusted: ssh: no authorities for hostname")

	// An authority whose key was lost signs for anybody: x/crypto before 0.52 accepted it (GO-2026-5021).
	options.KnownHostsFile = knownHosts(t, "@cert-authority "+knownhosts.Line([]string{s.address}, authority), "@revoked * "+string(ssh.MarshalAuthorizedKey(authority)))
	assert.ErrorContains(t, New(options).Check(t.Context(), nil), "is not to be trusted: ssh: certificate serial 0 revoked")
}

func FuzzKnownHosts(f *testing.F) {
	key := string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(writeKey(f, filepath.Join(f.TempDir(), "key"), "ed25519"))))
	f.Add("one.example.org " + key)
	f.Add("@cert-authority *.example.org " + key)
	f.Add("|1|AAAA|AAAA " + key)
	f.Add("@revoked * " + key + "\n# x\n\n")
	path := filepath.Join(f.TempDir(), "known_hosts")
	f.Fuzz(func(t *testing.T, content string) {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		keys, err := readHostKeys(path, "one.example.org:22")
		if err != nil {
			return
		}
		for _, algorithm := range keys.algorithms {
			assert.Contains(t, ssh.SupportedAlgorithms().HostKeys, algorithm)
		}
	})
}
