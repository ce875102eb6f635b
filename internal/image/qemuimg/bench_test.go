package qemuimg

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const benchmarkSize = 512 * mebibyte

// BenchmarkCompact is measured against the command line people use, BenchmarkConvert: by
// time, and by the size of what comes out.
func BenchmarkCompact(b *testing.B) {
	benchmark(b, func(source, target string) error {
		return Compact(b.Context(), source, target, func(string) {})
	})
}

func BenchmarkConvert(b *testing.B) {
	benchmark(b, func(source, target string) error {
		output, err := exec.CommandContext(b.Context(), Program, "convert", "-c", "-O", Format, source, target).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
		return nil
	})
}

// benchmark compacts what a system is made of, and what cannot be compressed, as weights.
func benchmark(b *testing.B, compact func(source, target string) error) {
	for name, command := range map[string][]string{
		"system":  {"tar", "-c", "-C", "/usr", "bin", "lib"},
		"weights": nil,
	} {
		b.Run(name, func(b *testing.B) {
			source := benchmarkImage(b, command)
			target := filepath.Join(b.TempDir(), "target.qcow2")
			b.SetBytes(benchmarkSize)
			for b.Loop() {
				require.NoError(b, compact(source, target))
			}
			status, err := os.Stat(target)
			require.NoError(b, err)
			b.ReportMetric(float64(status.Size())/mebibyte, "MiB")
		})
	}
}

// benchmarkImage holds the first benchmarkSize bytes of what the command writes, or
// random bytes without one.
func benchmarkImage(b *testing.B, command []string) string {
	directory := b.TempDir()
	raw, err := os.Create(filepath.Join(directory, "disk.raw"))
	require.NoError(b, err)
	content := rand.Reader
	if command != nil {
		writer := exec.CommandContext(b.Context(), command[0], command[1:]...)
		content, err = writer.StdoutPipe()
		require.NoError(b, err)
		require.NoError(b, writer.Start())
		// It is not read to its end.
		defer func() { _ = writer.Process.Kill(); _ = writer.Wait() }()
	}
	_, err = io.CopyN(raw, content, benchmarkSize)
	require.NoError(b, err)
	require.NoError(b, raw.Close())
	image := filepath.Join(directory, "disk.qcow2")
	output, err := exec.CommandContext(b.Context(), Program, "convert", "-O", Format, raw.Name(), image).CombinedOutput()
	require.NoError(b, err, "%s", output)
	return image
}
