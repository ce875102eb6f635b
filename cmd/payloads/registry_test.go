package main

import (
	"io"
	"log"
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
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// newRegistry starts a registry that records its requests, and returns its host too.
func newRegistry(t *testing.T) (p *publisher, host string) {
	t.Helper()
	p = &publisher{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.note(r)
		if p.gated.Load() && r.Header.Get("Authorization") != "Bearer "+secret {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return p, strings.TrimPrefix(server.URL, "http://")
}

// push pushes an image for each architecture under one tag, and returns the index.
func push(t *testing.T, reference string, architectures ...string) v1.ImageIndex {
	t.Helper()
	var index v1.ImageIndex = empty.Index
	for _, arch := range architectures {
		image, err := random.Image(10000, 2)
		require.NoError(t, err)
		config, err := image.ConfigFile()
		require.NoError(t, err)
		config.OS, config.Architecture = "linux", arch
		image, err = mutate.ConfigFile(image, config)
		require.NoError(t, err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	tag, err := name.NewTag(reference)
	require.NoError(t, err)
	require.NoError(t, remote.WriteIndex(tag, index))
	return index
}

func lockOf(t *testing.T, dir string, input lockfile.Input) string {
	t.Helper()
	path := filepath.Join(dir, "a.lock.hcl")
	require.NoError(t, lockfile.Write(path, lockfile.Lock{Inputs: []lockfile.Input{input}}))
	return path
}

func TestABackendIsPinnedByItsIndexAndFetchedOnce(t *testing.T) {
	asked, host := newRegistry(t)
	index := push(t, host+"/backends:v1", "amd64", "arm64")
	digest, err := index.Digest()
	require.NoError(t, err)
	dir := t.TempDir()
	path := lockOf(t, dir, lockfile.Input{Kind: lockfile.KindBackend, Name: "llama-cpp", Source: "oci://" + host + "/backends:v1"})
	out, _ := whole(t, dir, 0, "lock", path)
	assert.Contains(t, out, "backend llama-cpp: trusted on first use: "+digest.String()+" (from its registry)")
	lock, err := lockfile.Read(path)
	require.NoError(t, err)
	assert.Equal(t, digest.String(), lock.Inputs[0].Digest)
	assert.Zero(t, lock.Inputs[0].Size, "there are two of them")
	out, _ = whole(t, dir, 0, "lock", path)
	assert.Contains(t, out, "still the same (from its registry)")

	require.NoError(t, os.RemoveAll(filepath.Join(dir, "cache")))
	out, _ = whole(t, dir, 0, "payloads", path, "x", "amd64")
	assert.Contains(t, out, "x: all of it is there, ")
	amd64 := len(held(t, filepath.Join(dir, "x", "slm-copilot")))
	whole(t, dir, 0, "payloads", path, "x")
	assert.Greater(t, len(held(t, filepath.Join(dir, "x", "slm-copilot"))), amd64, "that for arm64, too")
	asked.forget()
	whole(t, dir, 0, "payloads", path, "x")
	assert.Empty(t, asked.seen())
}

func TestAMovedTagIsAnError(t *testing.T) {
	_, host := newRegistry(t)
	push(t, host+"/backends:v1", "amd64", "arm64")
	dir := t.TempDir()
	path := lockOf(t, dir, lockfile.Input{Kind: lockfile.KindBackend, Name: "llama-cpp", Source: "oci://" + host + "/backends:v1"})
	whole(t, dir, 0, "lock", path)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	moved, err := push(t, host+"/backends:v1", "amd64", "arm64").Digest()
	require.NoError(t, err)
	_, errors := whole(t, dir, 1, "lock", path)
	assert.Contains(t, errors, "backend llama-cpp: its publisher replaced it: the lock says ")
	assert.Contains(t, errors, "it is now "+moved.String())
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
	// Fetching uses the pinned digest, even if the tag has moved.
	whole(t, dir, 0, "payloads", path, "x")
	whole(t, dir, 0, "lock", "-update", path)
	lock, err := lockfile.Read(path)
	require.NoError(t, err)
	assert.Equal(t, moved.String(), lock.Inputs[0].Digest)
}

func TestABackendForOneArchitecture(t *testing.T) {
	_, host := newRegistry(t)
	push(t, host+"/backends:v1", "amd64")
	dir := t.TempDir()
	input := lockfile.Input{Kind: lockfile.KindBackend, Name: "llama-cpp", Source: "oci://" + host + "/backends:v1"}
	_, errors := whole(t, dir, 1, "lock", lockOf(t, dir, input))
	assert.Contains(t, errors, "has no image for linux/arm64, only for: linux/amd64; if it serves amd64 alone, say so in the lock with arch = \"amd64\"")
	input.Arch = "amd64"
	path := lockOf(t, dir, input)
	whole(t, dir, 0, "lock", path)
	lock, err := lockfile.Read(path)
	require.NoError(t, err)
	assert.Positive(t, lock.Inputs[0].Size)
	whole(t, dir, 0, "payloads", path, "x")
}

func TestAPrivateRegistryWantsItsToken(t *testing.T) {
	asked, host := newRegistry(t)
	push(t, host+"/backends:v1", "amd64", "arm64")
	asked.gated.Store(true)
	dir := t.TempDir()
	path := lockOf(t, dir, lockfile.Input{Kind: lockfile.KindBackend, Name: "llama-cpp", Source: "oci://" + host + "/backends:v1"})
	t.Setenv("PKR_VAR_model_token", secret)
	_, errors := whole(t, dir, 1, "lock", path)
	assert.Contains(t, errors, "401", "the model's token is not for it")
	t.Setenv("PKR_VAR_backend_token", secret)
	whole(t, dir, 0, "lock", path)
	whole(t, dir, 0, "payloads", path, "x")
	holdsNoSecret(t, dir)
}
