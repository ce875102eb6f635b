package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// benchmarkSize is that of a file large enough to forget how a download starts.
const benchmarkSize = 1 << 30

// serveGiB serves 1 GiB from memory.
func serveGiB(b *testing.B) Payload {
	block := make([]byte, benchmarkSize)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "model.gguf", time.Time{}, bytes.NewReader(block))
	}))
	b.Cleanup(s.Close)
	sum := sha256.Sum256(block)
	b.SetBytes(benchmarkSize)
	return Payload{Field: "model", Source: s.URL + "/model.gguf", Checksum: digest.SHA256Prefix + hex.EncodeToString(sum[:])}
}

func BenchmarkDownload(b *testing.B) {
	p := serveGiB(b)
	for b.Loop() {
		f := New(b.TempDir(), func(string) {})
		file, err := f.Fetch(b.Context(), p)
		if err != nil {
			b.Fatal(err)
		}
		os.Remove(file.Path)
	}
}

// BenchmarkCurl is what BenchmarkDownload is to be compared with; it verifies nothing.
func BenchmarkCurl(b *testing.B) {
	p := serveGiB(b)
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "model.gguf")
		if output, err := exec.CommandContext(b.Context(), "curl", "-sSfo", path, p.Source).CombinedOutput(); err != nil {
			b.Fatal(err, string(output))
		}
		os.Remove(path)
	}
}

func BenchmarkCached(b *testing.B) {
	p := serveGiB(b)
	f := New(b.TempDir(), func(string) {})
	for b.Loop() {
		if _, err := f.Fetch(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
}
