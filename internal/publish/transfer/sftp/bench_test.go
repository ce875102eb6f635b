package sftp

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const benchmarkSize = 256 << 20

// BenchmarkSFTP uploads a file and has its digest compared.
func BenchmarkSFTP(b *testing.B) {
	s, file := startServer(b, launch{}), image(b, benchmarkSize)
	m := New(s.options)
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		_, err := m.Send(b.Context(), file, func(string) {})
		require.NoError(b, err)
		// Else there is nothing to do the next time.
		require.NoError(b, os.Remove(filepath.Join(s.options.Directory, file.Name)))
	}
}

// BenchmarkScp and BenchmarkRsync are what it is measured against, with the digest computed
// by sha256sum there, and without.
func BenchmarkScp(b *testing.B)           { benchmarkProgram(b, scp, "true") }
func BenchmarkScpVerified(b *testing.B)   { benchmarkProgram(b, scp, "sha256sum") }
func BenchmarkRsync(b *testing.B)         { benchmarkProgram(b, rsync, "true") }
func BenchmarkRsyncVerified(b *testing.B) { benchmarkProgram(b, rsync, "sha256sum") }

func scp(ssh []string, source, target string) []string {
	return append(append([]string{"scp", "-q"}, ssh...), source, target)
}

func rsync(ssh []string, source, target string) []string {
	return []string{"rsync", "--whole-file", "-e", "ssh " + strings.Join(ssh, " "), source, target}
}

func benchmarkProgram(b *testing.B, program func(ssh []string, source, target string) []string, digest string) {
	s, file := startServer(b, launch{}), image(b, benchmarkSize)
	o := s.options
	ssh := []string{"-i", o.PrivateKeyFile, "-o", "UserKnownHostsFile=" + o.KnownHostsFile, "-o", "Port=" + strconv.Itoa(o.Port)}
	path, there := filepath.Join(o.Directory, "target"), o.User+"@"+o.Host
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		for _, words := range [][]string{program(ssh, file.Path, there+":"+path), append(append([]string{"ssh"}, ssh...), there, digest, path)} {
			output, err := exec.CommandContext(b.Context(), words[0], words[1:]...).CombinedOutput()
			require.NoError(b, err, "%s", output)
		}
		require.NoError(b, os.Remove(path))
	}
}
