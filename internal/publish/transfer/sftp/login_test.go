package sftp

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pkgsftp "github.com/pkg/sftp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/recordertest"
)

func TestAgent(t *testing.T) {
	s := startServer(t, launch{})
	socket := filepath.Join(t.TempDir(), "agent")
	run(t, exec.Command("ssh-agent", "-D", "-a", socket))
	require.Eventually(t, func() bool {
		// The socket is there before somebody listens to it.
		agent, err := net.Dial("unix", socket)
		return err == nil && agent.Close() == nil
	}, 20*time.Second, 10*time.Millisecond)
	t.Setenv("SSH_AUTH_SOCK", socket)
	options := s.options
	options.PrivateKeyFile, options.UseAgent = "", true

	err := New(options).Check(t.Context(), nil)
	assert.ErrorContains(t, err, "ask the ssh-agent: it holds no key: add one with ssh-add")
	output, err := exec.CommandContext(t.Context(), "ssh-add", "-q", s.options.PrivateKeyFile).CombinedOutput()
	require.NoError(t, err, string(output))
	assert.NoError(t, New(options).Check(t.Context(), nil))

	t.Setenv("SSH_AUTH_SOCK", socket+"-none")
	assert.ErrorIs(t, New(options).Check(t.Context(), nil), os.ErrNotExist)
	t.Setenv("SSH_AUTH_SOCK", "")
	assert.ErrorContains(t, New(options).Check(t.Context(), nil), "agent is set, but SSH_AUTH_SOCK is not")
}

func TestPrivateKeysThatDoNotWork(t *testing.T) {
	s := startServer(t, launch{})
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	writeKey(t, at("stranger"), "ed25519")
	writeKey(t, at("protected"), "ed25519")
	output, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-p", "-N", "geheim", "-f", at("protected")).CombinedOutput()
	require.NoError(t, err, string(output))
	require.NoError(t, os.WriteFile(at("nonsense"), []byte("geheim"), 0o600))
	for name, want := range map[string]string{
		"stranger":  "the server does not let us in: check the user name, and that the key or password is good for it: ssh: handshake failed: ssh: unable to authenticate",
		"protected": "read the private key " + at("protected") + ": it is protected by a passphrase: load it into an ssh-agent and set agent, or name a key without one (ssh-keygen -p)",
		"nonsense":  "read the private key " + at("nonsense") + ": it is not a private key that OpenSSH would read",
		"none":      "read the private key " + at("none") + ": no such file or directory",
	} {
		t.Run(name, func(t *testing.T) {
			options := s.options
			options.PrivateKeyFile = at(name)
			err := New(options).Check(t.Context(), nil)
			require.ErrorContains(t, err, "connect to "+options.shown()+": "+want)
			_, err = New(options).Send(t.Context(), image(t, 1), func(line string) { assert.NotContains(t, line, "trying again") })
			require.ErrorContains(t, err, want)
			assert.NotContains(t, err.Error(), "geheim")
		})
	}
}

// sshd asks PAM or the shadow file for passwords, which a test has no business in: this
// server takes the one password, either way, and offers files.
func startPasswordServer(t *testing.T, configure func(*ssh.ServerConfig)) Options {
	t.Helper()
	path := filepath.Join(t.TempDir(), "host")
	host := writeKey(t, path, "ed25519")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	signer, err := ssh.ParsePrivateKey(content)
	require.NoError(t, err)
	config := &ssh.ServerConfig{}
	config.AddHostKey(signer)
	configure(config)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveFiles(conn, config)
		}
	}()
	return Options{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, User: "oneadmin", Password: "geheim",
		KnownHostsFile: knownHosts(t, knownhosts.Line([]string{listener.Addr().String()}, host)), Directory: t.TempDir()}
}

func serveFiles(conn net.Conn, config *ssh.ServerConfig) {
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		go func() {
			for request := range requests {
				isFiles := request.Type == "subsystem" && strings.HasSuffix(string(request.Payload), "sftp")
				_ = request.Reply(isFiles, nil)
				if !isFiles {
					channel.Close()
					continue
				}
				server, err := pkgsftp.NewServer(channel)
				if err == nil {
					_ = server.Serve()
				}
				channel.Close()
			}
		}()
	}
}

func TestPasswords(t *testing.T) {
	plain := func(c *ssh.ServerConfig) {
		c.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if string(password) != "geheim" {
				return nil, errors.New("no")
			}
			return nil, nil
		}
	}
	asking := func(question string, echo bool) func(*ssh.ServerConfig) {
		return func(c *ssh.ServerConfig) {
			c.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
				answers, err := ask("", "", []string{question}, []bool{echo})
				if err != nil || len(answers) != 1 || answers[0] != "geheim" {
					return nil, io.ErrUnexpectedEOF
				}
				return nil, nil
			}
		}
	}
	for name, configure := range map[string]func(*ssh.ServerConfig){"plain": plain, "asked for": asking("Password: ", false)} {
		t.Run(name, func(t *testing.T) {
			options, file, said := startPasswordServer(t, configure), image(t, 3<<20), &recordertest.Lines{}
			_, err := New(options).Send(t.Context(), file, said.Say)
			require.NoError(t, err)
			assertArrived(t, options, file)
			assert.Contains(t, said.Text(), "the server runs no sha256sum for us: reading ")

			options.Password = "other"
			err = New(options).Check(t.Context(), nil)
			require.ErrorContains(t, err, "the server does not let us in")
			assert.NotContains(t, err.Error(), "other")
		})
	}
	t.Run("asked for something else", func(t *testing.T) {
		options := startPasswordServer(t, asking("Code: ", true))
		assert.ErrorContains(t, New(options).Check(t.Context(), nil), "the server does not let us in")
	})
}
