package serve

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
)

const benchmarkSize = 256 << 20

// BenchmarkServe is a file fetched whole by curl; BenchmarkNginx is what it is measured
// against.
func BenchmarkServe(b *testing.B) {
	file, _ := newFile(b, benchmarkSize)
	_, address, _ := offer(b, Options{Listen: "127.0.0.1:0"}, file)
	fetch(b, address)
}

func BenchmarkNginx(b *testing.B) {
	file, _ := newFile(b, benchmarkSize)
	// nginx's workers are another user.
	for directory := filepath.Dir(file.Path); directory != os.TempDir(); directory = filepath.Dir(directory) {
		require.NoError(b, os.Chmod(directory, 0o755))
	}
	require.NoError(b, os.Chmod(file.Path, 0o644))
	address := nginxtest.FreeAddress(b)
	nginxtest.Run(b, fmt.Appendf(nil, "server { listen %s; root %s; }", address, filepath.Dir(file.Path)), address)
	fetch(b, "http://"+address+"/"+filepath.Base(file.Path))
}

func fetch(b *testing.B, address string) {
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		curl(b, "-o", "/dev/null", address)
	}
}
