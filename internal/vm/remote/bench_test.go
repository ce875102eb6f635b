package remote

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	packerssh "github.com/hashicorp/packer-plugin-sdk/sdk-internals/communicator/ssh"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remotetest"
)

const benchmarkSize = 256 << 20

// server is a real sshd on this machine. The package openssh-server is not among those
// that make setup installs: it would listen to the network.
type server struct {
	address *net.TCPAddr
	key     ssh.Signer
	// keyFile is for OpenSSH's own programs.
	keyFile string
}

func startServer(b *testing.B) *server {
	b.Helper()
	require.NoError(b, os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin"))
	program, err := exec.LookPath("sshd")
	if err != nil {
		b.Skip("needs the package openssh-server")
	}
	directory := b.TempDir()
	s := &server{keyFile: filepath.Join(directory, "key")}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(b, err)
	s.key, err = ssh.NewSignerFromKey(key)
	require.NoError(b, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(b, err)
	require.NoError(b, os.WriteFile(s.keyFile, pem.EncodeToMemory(block), 0o600))
	authorized := filepath.Join(directory, "authorized")
	require.NoError(b, os.WriteFile(authorized, ssh.MarshalAuthorizedKey(s.key.PublicKey()), 0o600))

	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	s.address = free.Addr().(*net.TCPAddr)
	require.NoError(b, free.Close())
	sshd := exec.Command(program, "-D", "-e", "-f", "/dev/null", "-h", s.keyFile,
		"-o", "ListenAddress="+s.address.String(), "-o", "AuthorizedKeysFile="+authorized,
		"-o", "StrictModes=no", "-o", "UsePAM=no", "-o", "PidFile=none", "-o", "Subsystem=sftp internal-sftp")
	var log bytes.Buffer
	sshd.Stderr = &log
	// A connection that is still open keeps a process of its own.
	sshd.WaitDelay = time.Second
	require.NoError(b, sshd.Start())
	b.Cleanup(func() {
		_ = sshd.Process.Kill()
		_ = sshd.Wait()
		if b.Failed() {
			b.Log(log.String())
		}
	})
	require.Eventually(b, func() bool {
		conn, err := net.Dial("tcp", s.address.String())
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 10*time.Second, 10*time.Millisecond, "sshd does not listen")
	return s
}

func login(b *testing.B) string {
	me, err := user.Current()
	require.NoError(b, err)
	return me.Username
}

func randomFile(b *testing.B) string {
	path := filepath.Join(b.TempDir(), "file")
	content := make([]byte, benchmarkSize)
	_, _ = rand.Read(content)
	require.NoError(b, os.WriteFile(path, content, 0o600))
	return path
}

// BenchmarkUpload is a file on its way from the plugin through Packer's RPC and SSH into
// its place, its digest compared.
func BenchmarkUpload(b *testing.B) {
	s, source, target := startServer(b), randomFile(b), filepath.Join(b.TempDir(), "target")
	comm, err := packerssh.New(s.address.String(), &packerssh.Config{
		Connection: packerssh.ConnectFunc("tcp", s.address.String()),
		SSHConfig: &ssh.ClientConfig{
			User: login(b), Auth: []ssh.AuthMethod{ssh.PublicKeys(s.key)},
			HostKeyCallback: ssh.InsecureIgnoreHostKey(), // it was made above
		},
		DisableAgentForwarding: true,
	})
	require.NoError(b, err)
	machine := NewMachine(remotetest.OverRPC(b, comm))
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		file, err := os.Open(source)
		require.NoError(b, err)
		require.NoError(b, machine.Upload(b.Context(), File{Content: file, Size: benchmarkSize, Path: target, Mode: 0o644}, nil))
		require.NoError(b, file.Close())
	}
}

// BenchmarkScp is what Upload is measured against. It compares nothing; BenchmarkScpVerified
// has both digests computed, as Upload does.
func BenchmarkScp(b *testing.B) { benchmarkScp(b, "true") }

func BenchmarkScpVerified(b *testing.B) { benchmarkScp(b, "sha256sum") }

func benchmarkScp(b *testing.B, digest string) {
	s, source, target := startServer(b), randomFile(b), filepath.Join(b.TempDir(), "target")
	options := []string{"-q", "-i", s.keyFile, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"}
	there := login(b) + "@127.0.0.1"
	port := fmt.Sprint(s.address.Port)
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		for _, command := range [][]string{
			append(append([]string{"scp", "-P", port}, options...), source, there+":"+target),
			{digest, source},
			append(append([]string{"ssh", "-p", port}, options...), there, digest, target),
		} {
			output, err := exec.CommandContext(b.Context(), command[0], command[1:]...).CombinedOutput()
			require.NoError(b, err, "%s", output)
		}
	}
}
