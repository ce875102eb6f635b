package ociimage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stand is a real registry that remembers what it was asked, and may fail on purpose.
type stand struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string
	// fault answers in the registry's place if it returns true.
	fault func(w http.ResponseWriter, r *http.Request) bool
}

func newStand(t *testing.T) *stand {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	s := new(stand)
	real := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		if r.Method == http.MethodGet && r.URL.Path != "/v2/" {
			s.requests = append(s.requests, strings.TrimSpace(r.URL.Path+" "+r.Header.Get("Range")))
		}
		fault := s.fault
		s.mu.Unlock()
		if fault == nil || !fault(w, r) {
			real.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *stand) host() string { return strings.TrimPrefix(s.URL, "http://") }

func (s *stand) source() string { return "oci://" + s.host() + "/backends/llama-cpp:v1" }

// asked returns and forgets the requests.
func (s *stand) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.requests = nil }()
	return s.requests
}

func (s *stand) answer(fault func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func anImage(t *testing.T, arch string, layers ...[]byte) v1.Image {
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: arch})
	require.NoError(t, err)
	for _, content := range layers {
		image, err = mutate.AppendLayers(image, static.NewLayer(content, types.OCILayer))
		require.NoError(t, err)
	}
	return image
}

// pushIndex publishes images of several architectures under one tag, as buildx does.
func (s *stand) pushIndex(t *testing.T, images map[string]v1.Image) string {
	var index v1.ImageIndex = empty.Index
	for _, arch := range []string{"unknown", "amd64", "arm64"} {
		if image := images[arch]; image != nil {
			os := "linux"
			if arch == "unknown" {
				os = arch
			}
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
				Platform: &v1.Platform{OS: os, Architecture: arch},
			}})
		}
	}
	tag, err := name.NewTag(strings.TrimPrefix(s.source(), scheme))
	require.NoError(t, err)
	require.NoError(t, remote.WriteIndex(tag, index))
	digest, err := index.Digest()
	require.NoError(t, err)
	s.asked()
	return digest.String()
}

func (s *stand) push(t *testing.T, image v1.Image) string {
	tag, err := name.NewTag(strings.TrimPrefix(s.source(), scheme))
	require.NoError(t, err)
	require.NoError(t, remote.Write(tag, image))
	digest, err := image.Digest()
	require.NoError(t, err)
	s.asked()
	return digest.String()
}

// newPuller returns what the Puller says, too.
func newPuller(t *testing.T) (*Puller, *[]string) {
	heard := new([]string)
	return NewPuller(filepath.Join(t.TempDir(), "cache"), func(line string) { *heard = append(*heard, line) }), heard
}

func content(t *testing.T, image *Image) []string {
	var out bytes.Buffer
	require.NoError(t, image.WriteTar(t.Context(), &out))
	return listed(t, out.Bytes())
}

func TestPullOfOneArchitecture(t *testing.T) {
	s := newStand(t)
	amd, arm := gzipped(archive(file("run.sh", "amd"))), gzipped(archive(file("run.sh", "arm")))
	digest := s.pushIndex(t, map[string]v1.Image{
		"unknown": anImage(t, "unknown", []byte("attestation")),
		"amd64":   anImage(t, "amd64", amd), "arm64": anImage(t, "arm64", arm),
	})
	p, heard := newPuller(t)

	t.Run("without its layers", func(t *testing.T) {
		got, size, err := p.Resolve(t.Context(), Request{Field: "backend", Source: s.source(), Arch: "arm64"})
		require.NoError(t, err)
		assert.Equal(t, digest, got)
		assert.Equal(t, int64(len(arm)), size)
		assert.NotContains(t, strings.Join(s.asked(), "\n"), digestOf(arm))
	})
	t.Run("by tag", func(t *testing.T) {
		image, err := p.Pull(t.Context(), Request{Field: "backend", Source: s.source(), Arch: "amd64"})
		require.NoError(t, err)
		assert.Equal(t, digest, image.Digest())
		assert.Equal(t, int64(len(amd)), image.Size())
		assert.Equal(t, []string{"0 644 run.sh amd"}, content(t, image))
		asked := strings.Join(s.asked(), "\n")
		assert.Contains(t, asked, "/v2/backends/llama-cpp/manifests/v1\n")
		assert.Contains(t, asked, digestOf(amd))
		assert.NotContains(t, asked, digestOf(arm))
		assert.Contains(t, strings.Join(*heard, "\n"), "WARNING: backend: "+s.URL+"/v2/backends/llama-cpp/manifests/v1 is not pinned, what came was taken: "+digest)
	})
	t.Run("by digest, without a network", func(t *testing.T) {
		s.Close()
		for _, r := range []Request{
			{Field: "backend", Source: s.source(), Digest: digest, Arch: "amd64"},
			{Field: "backend", Source: s.source() + "@" + digest, Arch: "amd64"},
		} {
			image, err := p.Pull(t.Context(), r)
			require.NoError(t, err)
			assert.Equal(t, []string{"0 644 run.sh amd"}, content(t, image))
		}
		assert.Empty(t, s.asked())
	})
	t.Run("an architecture that is not there", func(t *testing.T) {
		_, err := p.Pull(t.Context(), Request{Field: "backend", Source: s.source(), Digest: digest, Arch: "riscv64"})
		assert.EqualError(t, err, "backend.source: "+s.source()+": has no image for linux/riscv64, only for: linux/amd64, linux/arm64")
	})
}

func TestPullResumesALayer(t *testing.T) {
	s := newStand(t)
	layer := archive(file("model", strings.Repeat("0123456789", 10000)))
	digest := s.push(t, anImage(t, "amd64", layer))
	path := "/v2/backends/llama-cpp/blobs/" + digestOf(layer)
	cuts := 0
	s.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != path || cuts == 1 {
			return false
		}
		cuts++
		w.Header().Set("Content-Length", fmt.Sprint(len(layer)))
		_, _ = w.Write(layer[:70000])
		panic(http.ErrAbortHandler)
	})
	p, heard := newPuller(t)
	image, err := p.Pull(t.Context(), Request{Field: "backend", Source: s.source(), Digest: digest, Arch: "amd64"})
	require.NoError(t, err)
	assert.Len(t, content(t, image), 1)
	asked := s.asked()
	assert.Equal(t, []string{path, fmt.Sprintf("%s bytes=70000-%d", path, len(layer)-1)}, asked[len(asked)-2:])
	assert.Contains(t, strings.Join(*heard, "\n"), "unexpected EOF (68.4 KiB of 99.5 KiB are kept); trying again in")

	cached := filepath.Join(p.cacheDir, strings.TrimPrefix(digestOf(layer), "sha256:"))
	require.NoError(t, os.WriteFile(cached, []byte("rotten"), 0o644))
	image, err = p.Pull(t.Context(), Request{Field: "backend", Source: s.source(), Digest: digest, Arch: "amd64"})
	require.NoError(t, err)
	assert.Len(t, content(t, image), 1)
	assert.Equal(t, []string{path}, s.asked(), "only what was damaged is asked for")
}

func TestPullFailures(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(code)
			return true
		}
	}
	manifest := func(text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			fmt.Fprint(w, text)
			return true
		}
	}
	for name, tt := range map[string]struct {
		fault  func(http.ResponseWriter, *http.Request) bool
		digest bool
		arch   string
		err    string
	}{
		"no login":            {status(401), false, "amd64", "backend.source: URL/manifests/v1: the server answered 401 Unauthorized: it wants a login"},
		"forbidden":           {status(403), true, "amd64", "403 Forbidden: it wants a login"},
		"not there":           {status(404), false, "amd64", "backend.source: URL/manifests/v1: the server answered 404 Not Found"},
		"old manifest":        {manifest(`{"schemaVersion": 1, "fsLayers": []}`), false, "amd64", "backend.source: SOURCE: has a manifest of schema version 1, which registries gave up years ago"},
		"no manifest":         {manifest(`not JSON`), false, "amd64", "backend.source: SOURCE: is not JSON"},
		"another manifest":    {manifest(`{"schemaVersion": 2}`), true, "amd64", "backend.checksum: URL/manifests/DIGEST has sha256:"},
		"no layers":           {manifest(`{"schemaVersion": 2, "config": {"digest": "` + digestOf(nil) + `", "size": 1}}`), false, "amd64", "has no layers"},
		"digests that climb":  {manifest(`{"schemaVersion": 2, "config": {"digest": "sha256:../../etc/x", "size": 1}, "layers": [{"digest": "none", "size": -1}]}`), false, "amd64", `names a digest that must be "sha256:" and 64 hexadecimal digits`},
		"a size of exbibytes": {manifest(`{"schemaVersion": 2, "config": {"digest": "` + digestOf(nil) + `", "size": 1}, "layers": [{"digest": "` + digestOf(nil) + `", "size": 9223372036854775807}]}`), false, "amd64", "its manifest gives 9223372036854775807 bytes as a size"},
		"a long manifest":     {manifest(strings.Repeat(" ", maxDocument+1)), false, "amd64", "are too many for a manifest"},
		"another machine":     {nil, false, "arm64", "backend.source: SOURCE: is for linux/amd64, and linux/arm64 is wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			digest := s.push(t, anImage(t, "amd64", archive(file("a", "x"))))
			s.answer(tt.fault)
			p, _ := newPuller(t)
			r := Request{Field: "backend", Source: s.source(), Arch: tt.arch}
			if tt.digest {
				r.Digest = digest
			}
			_, err := p.Pull(t.Context(), r)
			want := strings.NewReplacer("URL", s.URL+"/v2/backends/llama-cpp", "SOURCE", s.source(), "DIGEST", digest).Replace(tt.err)
			require.ErrorContains(t, err, want)
		})
	}
}

// A blob that is not what its name says never gets into the cache.
func TestPullOfAForgedLayer(t *testing.T) {
	s := newStand(t)
	layer := archive(file("a", "genuine"))
	digest := s.push(t, anImage(t, "amd64", layer))
	forged := archive(file("a", "falsify"))
	require.Len(t, forged, len(layer))
	s.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, digestOf(layer)) {
			return false
		}
		_, _ = w.Write(forged)
		return true
	})
	p, _ := newPuller(t)
	_, err := p.Pull(t.Context(), Request{Field: "backend", Source: s.source(), Digest: digest, Arch: "amd64"})
	require.ErrorContains(t, err, "has "+digestOf(forged)+", expected "+digestOf(layer))
	_, err = os.Stat(filepath.Join(p.cacheDir, strings.TrimPrefix(digestOf(layer), "sha256:")))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestPullWaitsForABusyRegistry(t *testing.T) {
	s := newStand(t)
	digest := s.push(t, anImage(t, "amd64", archive(file("a", "x"))))
	busy := map[string]bool{}
	s.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if busy[r.URL.Path] {
			return false
		}
		busy[r.URL.Path] = true
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	p, heard := newPuller(t)
	_, err := p.Pull(t.Context(), Request{Field: "backend", Source: s.source(), Digest: digest, Arch: "amd64"})
	require.NoError(t, err)
	assert.Contains(t, strings.Join(*heard, "\n"), "the server answered 429 Too Many Requests; trying again in")
}

// The token goes to the registry, and neither to the host it keeps its blobs on, nor into
// any message.
func TestTokenStaysWithTheRegistry(t *testing.T) {
	s := newStand(t)
	layer := archive(file("a", "x"))
	digest := s.push(t, anImage(t, "amd64", layer))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Authorization"))
		_, _ = w.Write(layer)
	}))
	defer elsewhere.Close()
	s.answer(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Header.Get("Authorization") != "Bearer geheim":
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+s.URL+`/token",service="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasSuffix(r.URL.Path, digestOf(layer)):
			http.Redirect(w, r, elsewhere.URL+"/blob?signature=geheim", http.StatusTemporaryRedirect)
		default:
			return false
		}
		return true
	})
	p, heard := newPuller(t)
	r := Request{Field: "backend", Source: s.source(), Digest: digest, Arch: "amd64", Token: "geheim"}
	_, err := p.Pull(t.Context(), r)
	require.NoError(t, err)

	other, said := newPuller(t)
	r.Token = "geheim-but-wrong"
	_, err = other.Pull(t.Context(), r)
	require.ErrorContains(t, err, "401 Unauthorized")
	assert.NotContains(t, err.Error()+strings.Join(*heard, "")+strings.Join(*said, ""), "geheim")
}

// A registry that hands out tokens itself, to everybody: Docker Hub, quay.io.
func TestAnonymousToken(t *testing.T) {
	s := newStand(t)
	digest := s.push(t, anImage(t, "amd64", archive(file("a", "x"))))
	s.answer(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/token":
			assert.Equal(t, "repository:backends/llama-cpp:pull", r.URL.Query().Get("scope"))
			_ = json.NewEncoder(w).Encode(map[string]string{"token": "for-all"})
		case r.Header.Get("Authorization") != "Bearer for-all":
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+s.URL+`/token",service="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			return false
		}
		return true
	})
	p, _ := newPuller(t)
	_, err := p.Pull(t.Context(), Request{Field: "backend", Source: s.source(), Digest: digest, Arch: "amd64"})
	require.NoError(t, err)
}

func TestPlainHTTPIsForThisMachine(t *testing.T) {
	for _, address := range []string{"http://10.0.0.1/v2/", "http://registry.example/v2/", "http://mirror.local/v2/"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		require.NoError(t, err)
		_, err = noPlainHTTP{http.DefaultTransport}.RoundTrip(request)
		assert.ErrorContains(t, err, request.Host+" does not speak https, and plain http is for this machine only")
	}
}

func TestCancelStopsAPull(t *testing.T) {
	s := newStand(t)
	digest := s.push(t, anImage(t, "amd64", archive(file("a", "x"))))
	ctx, cancel := context.WithCancel(t.Context())
	s.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		cancel()
		<-r.Context().Done()
		return true
	})
	p, _ := newPuller(t)
	_, err := p.Pull(ctx, Request{Field: "backend", Source: s.source(), Digest: digest, Arch: "amd64"})
	assert.ErrorContains(t, err, "context canceled")
}
