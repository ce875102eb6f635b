package digest

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

const benchmarkSize = 512 << 20

func BenchmarkFile(b *testing.B) {
	path := write(b, benchmarkSize)
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		_, err := File(context.Background(), path, nil)
		require.NoError(b, err)
	}
}

// BenchmarkOneCore is File without its goroutines: one read, one core.
func BenchmarkOneCore(b *testing.B) {
	path := write(b, benchmarkSize)
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		file, err := os.Open(path)
		require.NoError(b, err)
		_, err = io.Copy(io.MultiWriter(md5.New(), sha1.New(), sha256.New()), file)
		require.NoError(b, err)
		require.NoError(b, file.Close())
	}
}

// BenchmarkSystem is what File is measured against: the programs, one after the other.
func BenchmarkSystem(b *testing.B) {
	path := write(b, benchmarkSize)
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		for _, tool := range []string{"md5sum", "sha1sum", "sha256sum"} {
			system(b, tool, path)
		}
	}
}
