package provisioner

import (
	"archive/tar"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// guarded requires a token for every request.
func guarded(t *testing.T, token string, next http.Handler) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Everything is downloaded, pinned by the lock, with tokens for the model and the backend.
// The second build finds all of it in the cache.
func TestBakeFromTheLock(t *testing.T) {
	m := machine(t)
	b, said := newBake(t, m)
	dir := filepath.Dir(b.config.Model.Source)
	base := guarded(t, "hf_kennzeichen", http.FileServer(http.Dir(dir)))
	engines := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(engines.Close)
	backend, digest := pushBackend(t)

	model, engine := local(t, filepath.Join(dir, "model.gguf")), local(t, filepath.Join(dir, "local-ai"))
	b.config = Config{}
	require.NoError(t, b.config.decode(block{
		"context": "cloud-init",
		"lock_file": writeLock(t, lockfile.Lock{Inputs: []lockfile.Input{
			{Kind: lockfile.KindLocalAI, Name: "local-ai", Version: "v4.9.0", Arch: "amd64", Source: engines.URL + "/local-ai", Digest: "sha256:" + engine.SHA256, Size: engine.Size, License: "MIT"},
			{Kind: lockfile.KindBackend, Name: "llama-cpp", Version: "v4.9.0", Source: backend, Digest: digest, License: "MIT"},
			{Kind: lockfile.KindModel, Name: "qwen", Source: base + "/model.gguf", Digest: "sha256:" + model.SHA256, Size: model.Size, License: "Apache-2.0"},
		}}),
		"model": block{"token": "hf_kennzeichen"},
	}))
	require.NoError(t, b.runAll(t.Context()))
	assert.Equal(t, "#!/bin/bash\n", m.Read(appliance.BackendsDir+"/llama-cpp/run.sh"))
	assert.Equal(t, "elf", m.Read(appliance.BackendsDir+"/llama-cpp/lib/libggml.so"))
	assert.Contains(t, m.Read(appliance.BakedFile), `"model_id": "qwen"`)

	lock, err := lockfile.Read(m.Path(appliance.BakedLock))
	require.NoError(t, err)
	require.Len(t, lock.Inputs, 3)
	assert.Equal(t, digest, lock.Inputs[1].Digest)
	assert.Equal(t, backend, lock.Inputs[1].Source)
	assert.Equal(t, b.config.lock.Inputs[2], lock.Inputs[2], "what the lock said is what was baked")
	everything := strings.Join(*said, "\n") + m.Read(appliance.BakedLock) + m.Read(appliance.BakedSBOM) + strings.Join(m.Calls(), "\n")
	assert.NotContains(t, everything, "kennzeichen")

	engines.Close()
	again, _ := newBake(t, machine(t))
	again.config, again.cacheDir, again.fetcher, again.puller = b.config, b.cacheDir, b.fetcher, b.puller
	require.NoError(t, again.run(t.Context(), "fetch engine, backend and model"), "nothing is downloaded twice")
	again.payload.discard()
	left, err := filepath.Glob(filepath.Join(b.cacheDir, "backend-*"))
	require.NoError(t, err)
	assert.NotContains(t, left, again.payload.packed)
}

func TestWrongTokenIsNotRepeated(t *testing.T) {
	m := machine(t)
	b, said := newBake(t, m)
	base := guarded(t, "hf_recht", http.NotFoundHandler())
	b.config.Model = Model{Source: base + "/model.gguf", Checksum: goodDigest, Token: "hf_falsch", ID: "x"}
	err := b.runAll(t.Context())
	require.ErrorContains(t, err, "model.source: ")
	require.ErrorContains(t, err, "401")
	assert.NotContains(t, err.Error()+strings.Join(*said, ""), "hf_falsch")
}

func TestUnpinnedPayloadIsSaidWithItsDigest(t *testing.T) {
	m := machine(t)
	b, said := newBake(t, m)
	b.config.Model.Checksum, b.config.AllowUnpinned = "", true
	require.NoError(t, b.run(t.Context(), "fetch engine, backend and model"))
	assert.Contains(t, strings.Join(*said, "\n"), "sha256:"+b.payload.models[0].file.SHA256)
	assert.Equal(t, local(t, b.config.Model.Source), b.payload.models[0].file)
}

// A backend that docker save wrote is unpacked on this host, as if it came from a registry.
func TestBackendIsAnImageInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backend.tar")
	tag, err := name.NewTag("local-ai-backends:v4.9.0")
	require.NoError(t, err)
	require.NoError(t, tarball.WriteToFile(path, tag, backendImage(t)))
	archive := local(t, path)
	served := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(path))))
	t.Cleanup(served.Close)
	for name, source := range map[string]string{"path": path, "URL": served.URL + "/backend.tar"} {
		t.Run(name, func(t *testing.T) {
			m := machine(t)
			b, _ := newBake(t, m)
			b.config.Backend = Backend{Source: source, Checksum: "sha256:" + archive.SHA256}
			require.NoError(t, b.run(t.Context(), "install the backend"))
			assert.Equal(t, "#!/bin/bash\n", m.Read(appliance.BackendsDir+"/llama-cpp/run.sh"))
			assert.Equal(t, "elf", m.Read(appliance.BackendsDir+"/llama-cpp/lib/libggml.so"))
			baked, found := b.payload.inputs.Find(lockfile.KindBackend, "amd64", "")
			assert.True(t, found)
			assert.Equal(t, "sha256:"+archive.SHA256, baked.Digest, "the archive is what a lock pins")
			b.payload.discard()
			left, err := filepath.Glob(filepath.Join(b.cacheDir, "[bi]*-*"))
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
	t.Run("for another machine", func(t *testing.T) {
		b, _ := newBake(t, machine(t))
		other, err := mutate.ConfigFile(backendImage(t), &v1.ConfigFile{OS: "linux", Architecture: "arm64"})
		require.NoError(t, err)
		require.NoError(t, tarball.WriteToFile(path, tag, other))
		b.config.Backend = Backend{Source: path, Checksum: "none"}
		err = b.run(t.Context(), "fetch engine, backend and model")
		assert.EqualError(t, err, "backend.source: "+path+": has no image for linux/amd64, only for: linux/arm64")
	})
}

// pushBackend pushes a backend as an OCI image to a registry of this test.
func pushBackend(t *testing.T) (reference, digest string) {
	server := httptest.NewServer(registry.New())
	t.Cleanup(server.Close)
	image := backendImage(t)
	repository := strings.TrimPrefix(server.URL, "http://") + "/backends:v4.9.0-cpu-llama-cpp"
	tag, err := name.ParseReference(repository)
	require.NoError(t, err)
	require.NoError(t, remote.Write(tag, image))
	hash, err := image.Digest()
	require.NoError(t, err)
	return "oci://" + repository, hash.String()
}

func backendImage(t *testing.T) v1.Image {
	var packed bytes.Buffer
	require.NoError(t, packDirectory(t.Context(), backendDirectory(t), &packed))
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil })
	require.NoError(t, err)
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64"})
	require.NoError(t, err)
	image, err = mutate.AppendLayers(image, layer)
	require.NoError(t, err)
	return image
}

func TestBackendImageWithoutRunScript(t *testing.T) {
	m := machine(t)
	b, _ := newBake(t, m)
	reference, digest := pushBackend(t)
	b.config.Backend = Backend{Source: reference, Checksum: digest}
	m.Write(appliance.BackendsDir+"/llama-cpp/old", "")
	require.NoError(t, b.run(t.Context(), "install LocalAI"))
	var packed bytes.Buffer
	require.NoError(t, tar.NewWriter(&packed).Close())
	require.NoError(t, os.WriteFile(b.payload.packed, packed.Bytes(), 0o644))
	b.payload.backend = local(t, b.payload.packed)
	require.ErrorContains(t, b.installBackend(t.Context()), "backend.source: the archive has no run.sh at its top")
	assert.FileExists(t, m.Path(appliance.BackendsDir+"/llama-cpp/old"))
}
