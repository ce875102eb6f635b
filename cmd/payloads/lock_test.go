package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

const (
	ubuntu = "/ubuntu/release-1/ubuntu.img"
	debian = "/debian/latest/debian.qcow2"
	engine = "/LocalAI/download/v1/local-ai-v1-linux-amd64"
	deb    = "/one-apps/one-context.deb"
	model  = "/org/repo/resolve/main/model.gguf"
)

// content is different for each path, and long enough to be cut off.
func content(path string) []byte { return []byte(strings.Repeat(path+"\n", 20000)) }

// world starts a publisher of all kinds of payloads, and writes a lock file that lists them
// without digests.
func world(t *testing.T) (p *publisher, dir, path string) {
	t.Helper()
	p = newPublisher(t)
	t.Setenv("PKR_VAR_model_token", secret)
	p.linked = model
	for _, file := range []string{ubuntu, debian, engine, deb, model} {
		p.put(file, content(file))
	}
	p.list(ubuntu, "SHA256SUMS", line(sum256(nil), "other.img"), line(sum256(content(ubuntu)), "ubuntu.img"))
	p.list(debian, "SHA512SUMS", line(sum512(content(debian)), "debian.qcow2"))
	p.list(engine, "LocalAI-v1-checksums.txt", line(sum256(content(engine)), "local-ai-v1-linux-amd64"))
	var lock lockfile.Lock
	lock.Put(lockfile.Input{Kind: lockfile.KindBaseImage, Name: "ubuntu", Arch: "amd64", Source: p.URL + ubuntu})
	lock.Put(lockfile.Input{Kind: lockfile.KindBaseImage, Name: "debian", Arch: "arm64", Source: p.URL + debian})
	lock.Put(lockfile.Input{Kind: lockfile.KindLocalAI, Name: "local-ai", Version: "v1", Arch: "amd64", Source: p.URL + engine})
	lock.Put(lockfile.Input{Kind: lockfile.KindContextPackage, Name: "one-context", Source: p.URL + deb})
	lock.Put(lockfile.Input{Kind: lockfile.KindModel, Name: "small", Source: p.URL + model, License: "MIT"})
	dir = t.TempDir()
	path = filepath.Join(dir, "a.lock.hcl")
	require.NoError(t, lockfile.Write(path, lock))
	return p, dir, path
}

func TestLockAsksPublishersAndDownloadsTheRest(t *testing.T) {
	p, dir, path := world(t)
	out, _ := whole(t, dir, 0, "lock", path)
	lock, err := lockfile.Read(path)
	require.NoError(t, err)
	for file, kind := range map[string]string{ubuntu: lockfile.KindBaseImage, debian: lockfile.KindBaseImage,
		engine: lockfile.KindLocalAI, deb: lockfile.KindContextPackage, model: lockfile.KindModel} {
		input, found := lock.Find(kind, "", p.URL+file)
		require.True(t, found)
		assert.Equal(t, "sha256:"+sum256(content(file)), input.Digest, file)
		assert.Equal(t, int64(len(content(file))), input.Size, file)
	}
	for _, said := range []string{
		"base_image ubuntu (amd64): trusted on first use: sha256:" + sum256(content(ubuntu)) + " (from SHA256SUMS)",
		"localai local-ai v1 (amd64): trusted on first use: sha256:" + sum256(content(engine)) + " (from LocalAI-v1-checksums.txt)",
		"(from its download, whose SHA-512 is in SHA512SUMS)",
		"context_package one-context: trusted on first use: sha256:" + sum256(content(deb)) + " (from its download; nobody tells it)",
		"(from the header X-Linked-Etag)",
		path + ": written",
	} {
		assert.Contains(t, out, said)
	}
	asked := p.seen()
	for file, downloaded := range map[string]bool{ubuntu: false, engine: false, model: false, "/blob": false, debian: true, deb: true} {
		assert.Equal(t, downloaded, slices.Contains(asked, "GET "+file), "%s in %v", file, asked)
	}
	holdsNoSecret(t, dir)

	before, err := os.ReadFile(path)
	require.NoError(t, err)
	out, _ = whole(t, dir, 0, "lock", path)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
	assert.Equal(t, 3, strings.Count(out, "pinned, and still the same"))
	assert.Equal(t, 2, strings.Count(out, "pinned; its publisher states no digest to compare"))
	assert.NotContains(t, out, "written")
}

func TestLockRefusesWhatWasReplaced(t *testing.T) {
	p, dir, path := world(t)
	whole(t, dir, 0, "lock", path)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	p.list(engine, "LocalAI-v1-checksums.txt", line(sum256([]byte("new")), "local-ai-v1-linux-amd64"))
	p.put(model, []byte("another model"))
	p.put(debian, []byte("another image"))
	p.list(debian, "SHA512SUMS", line(sum512([]byte("another image")), "debian.qcow2"))

	_, errors := whole(t, dir, 1, "lock", path)
	assert.Contains(t, errors, "localai local-ai v1 (amd64): its publisher replaced it: the lock says sha256:"+sum256(content(engine))+", it is now sha256:"+sum256([]byte("new")))
	assert.Contains(t, errors, "model small: its publisher replaced it")
	assert.Contains(t, errors, "base_image debian (arm64): its publisher replaced it: the lock says ")
	assert.Equal(t, 3, strings.Count(errors, "make lock UPDATE=1"))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))

	out, _ := whole(t, dir, 0, "lock", "-update", path)
	assert.Contains(t, out, "model small: replaced sha256:"+sum256(content(model))+"; trusted on first use: sha256:"+sum256([]byte("another model")))
	lock, err := lockfile.Read(path)
	require.NoError(t, err)
	for file, now := range map[string]string{model: "another model", debian: "another image"} {
		for _, input := range lock.Inputs {
			if input.Source == p.URL+file {
				assert.Equal(t, "sha256:"+sum256([]byte(now)), input.Digest)
				assert.Equal(t, int64(len(now)), input.Size)
			}
		}
	}
}

func TestLockRefusesADownloadThatIsNotTheListed(t *testing.T) {
	p, dir, path := world(t)
	p.list(debian, "SHA512SUMS", line(sum512([]byte("what was meant")), "debian.qcow2"))
	_, errors := whole(t, dir, 1, "lock", path)
	assert.Contains(t, errors, "base_image debian (arm64): its SHA-512 is "+sum512(content(debian))+", but SHA512SUMS says "+sum512([]byte("what was meant")))
	lock, err := lockfile.Read(path)
	require.NoError(t, err)
	input, _ := lock.Find(lockfile.KindBaseImage, "arm64", p.URL+debian)
	assert.Empty(t, input.Digest)
}

func TestLockKeepsWhatItLearnt(t *testing.T) {
	p, dir, path := world(t)
	p.mu.Lock()
	delete(p.files, deb)
	p.mu.Unlock()
	p.list(ubuntu, "SHA256SUMS", line(sum256(nil), "other.img"))
	out, errors := whole(t, dir, 1, "lock", path)
	assert.Contains(t, errors, "context_package one-context: ")
	assert.Contains(t, errors, "404")
	assert.Contains(t, errors, "base_image ubuntu (amd64): SHA256SUMS, beside it, does not list ubuntu.img")
	assert.Contains(t, out, "written")
	lock, err := lockfile.Read(path)
	require.NoError(t, err)
	engineInput, _ := lock.Find(lockfile.KindLocalAI, "amd64", "")
	assert.NotEmpty(t, engineInput.Digest)
	debInput, _ := lock.Find(lockfile.KindContextPackage, "", "")
	assert.Empty(t, debInput.Digest)
}

func TestLockWithoutANetwork(t *testing.T) {
	p, dir, path := world(t)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	p.Close()
	_, errors := whole(t, dir, 1, "lock", path)
	assert.Contains(t, errors, "refused")
	assert.Contains(t, errors, "Run it where there is one")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
}

func TestLockOfAGatedModelAsksForAToken(t *testing.T) {
	_, dir, path := world(t)
	t.Setenv("PKR_VAR_model_token", "wrong")
	_, errors := whole(t, dir, 1, "lock", path)
	assert.Contains(t, errors, "model small: ")
	assert.Contains(t, errors, "401 Unauthorized: check the address, and whether it wants a token")
	assert.NotContains(t, errors, "wrong")
}

func TestLockStoppedKeepsWhatItLearnt(t *testing.T) {
	p, dir, path := world(t)
	p.setStuck(deb)
	command := start(t, dir, "lock", path)
	require.Eventually(t, func() bool { return slices.Contains(p.seen(), "GET "+deb) }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, command.Process.Signal(syscall.SIGINT))
	assert.Equal(t, 1, command.end(t))
	assert.Contains(t, command.err.String(), "stopped at context_package one-context")
	lock, err := lockfile.Read(path)
	require.NoError(t, err)
	base, _ := lock.Find(lockfile.KindBaseImage, "amd64", "")
	assert.NotEmpty(t, base.Digest, "it came before")
	engineInput, _ := lock.Find(lockfile.KindLocalAI, "amd64", "")
	assert.Empty(t, engineInput.Digest, "it comes after")
	assert.Equal(t, []string{"a.lock.hcl", "cache"}, names(t, dir))

	p.setStuck("")
	whole(t, dir, 0, "lock", path)
}

func TestLockNeedsAFile(t *testing.T) {
	dir := t.TempDir()
	_, errors := whole(t, dir, 1, "lock", filepath.Join(dir, "none.lock.hcl"))
	assert.Contains(t, errors, "none.lock.hcl")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bad.lock.hcl"), []byte(`model "a" { sauce = "x" }`), 0o644))
	_, errors = whole(t, dir, 1, "lock", filepath.Join(dir, "bad.lock.hcl"))
	assert.Contains(t, errors, `"sauce"`)
	for _, arguments := range [][]string{{}, {"lock"}, {"lock", "a", "b"}, {"payloads", "a"}, {"help"}} {
		_, errors = whole(t, dir, 1, arguments...)
		assert.Regexp(t, `^payloads: wrong usage: .*\nsee payloads -h\n$`, errors, "%v", arguments)
	}
	out, _ := whole(t, t.TempDir(), 0, "-h")
	assert.Equal(t, usage, out)
}
