package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// pinnedWorld is a world whose lock is complete, and whose publisher has had no requests.
func pinnedWorld(t *testing.T) (p *publisher, dir, path string) {
	t.Helper()
	p, dir, path = world(t)
	whole(t, dir, 0, "lock", path)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "cache")))
	p.forget()
	return p, dir, path
}

func downloads(asked []string) int {
	return len(slices.DeleteFunc(asked, func(request string) bool { return !strings.HasPrefix(request, "GET ") }))
}

// held lists the downloaded files in a cache, without the lock files.
func held(t *testing.T, cache string) []string {
	return slices.DeleteFunc(names(t, cache), func(name string) bool { return len(name) != 64 })
}

func TestPayloadsFillADirectoryThatIsACache(t *testing.T) {
	p, dir, path := pinnedWorld(t)
	out, _ := whole(t, dir, 0, "payloads", path, "x")
	t.Setenv("PACKER_CACHE_DIR", filepath.Join(dir, "x"))
	cache, err := packersdk.CachePath(appliance.Name)
	require.NoError(t, err)
	var want []string
	var size int
	for _, file := range []string{ubuntu, debian, engine, deb, model} {
		want = append(want, sum256(content(file)))
		size += len(content(file))
	}
	slices.Sort(want)
	assert.Equal(t, want, held(t, cache))
	assert.Contains(t, out, "x: all of it is there, "+progress.Bytes(int64(size))+"; with PACKER_CACHE_DIR=x ")
	holdsNoSecret(t, dir)

	p.forget()
	out, _ = whole(t, dir, 0, "payloads", path, "x")
	assert.Empty(t, p.seen())
	assert.Contains(t, out, "x: all of it is there, ")
}

func TestPayloadsOfOneArchitecture(t *testing.T) {
	_, dir, path := pinnedWorld(t)
	out, _ := whole(t, dir, 0, "payloads", path, "x", "arm64")
	assert.Contains(t, out, "x: all of it is there, ")
	cache := filepath.Join(dir, "x", appliance.Name)
	assert.Contains(t, held(t, cache), sum256(content(debian)))
	assert.NotContains(t, held(t, cache), sum256(content(engine)))
	_, errors := whole(t, dir, 1, "payloads", path, "y", "x86_64")
	assert.Contains(t, errors, `must be amd64 or arm64, not "x86_64"`)
}

func TestPayloadsRefuseWhatIsNotPinned(t *testing.T) {
	p, dir, path := world(t)
	_, errors := whole(t, dir, 1, "payloads", path, "x")
	assert.Equal(t, 5, strings.Count(errors, "is not pinned: run `make lock`"))
	assert.Empty(t, p.seen())
	assert.NoDirExists(t, filepath.Join(dir, "x"))
}

func TestPayloadsKeepNothingWrong(t *testing.T) {
	p, dir, path := pinnedWorld(t)
	p.put(engine, bytes.ToUpper(content(engine)))
	_, errors := whole(t, dir, 1, "payloads", path, "x")
	assert.Contains(t, errors, "localai local-ai v1 (amd64): localai.checksum: ")
	assert.Contains(t, errors, "expected sha256:"+sum256(content(engine)))
	cache := filepath.Join(dir, "x", appliance.Name)
	assert.Len(t, held(t, cache), 4, "the others are there")
	for _, name := range names(t, cache) {
		assert.NotContains(t, name, ".part")
	}
	p.put(engine, content("/of/another/length"))
	_, errors = whole(t, dir, 1, "payloads", path, "x")
	assert.Contains(t, errors, " bytes", "it is refused before it is downloaded")
	p.put(engine, content(engine))
	p.forget()
	whole(t, dir, 0, "payloads", path, "x")
	assert.Equal(t, 1, downloads(p.seen()))
	assert.Contains(t, held(t, cache), sum256(content(engine)))
}

func TestPayloadsGoOnWhereTheyWereStopped(t *testing.T) {
	for name, signal := range map[string]os.Signal{"stopped": syscall.SIGINT, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			p, dir, path := pinnedWorld(t)
			p.setStuck(model)
			command := start(t, dir, "payloads", path, "x")
			cache := filepath.Join(dir, "x", appliance.Name)
			part := filepath.Join(cache, sum256(content(model))+".part")
			require.Eventually(t, func() bool {
				info, err := os.Stat(part)
				return err == nil && info.Size() == int64(len(content(model))/2)
			}, 30*time.Second, 10*time.Millisecond)
			require.NoError(t, command.Process.Signal(signal))
			assert.NotZero(t, command.end(t))
			assert.NotContains(t, held(t, cache), sum256(content(model)))

			p.setStuck("")
			p.forget()
			whole(t, dir, 0, "payloads", path, "x")
			assert.Len(t, held(t, cache), 5)
			assert.Equal(t, []string{"GET " + model, "GET /blob"}, p.seen(), "the others were there")
			assert.Equal(t, len(content(model))-len(content(model))/2, p.lastSent(), "the rest of it")
		})
	}
}

func TestPayloadsWithoutANetwork(t *testing.T) {
	p, dir, path := pinnedWorld(t)
	lock, err := lockfile.Read(path)
	require.NoError(t, err)
	for _, input := range lock.Inputs {
		if input.Kind != lockfile.KindContextPackage {
			continue
		}
		require.NoError(t, lockfile.Write(path, lockfile.Lock{Inputs: []lockfile.Input{input}}))
	}
	whole(t, dir, 0, "payloads", path, "x")
	p.Close()
	whole(t, dir, 0, "payloads", path, "x")
}

func TestPayloadsForNobody(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.lock.hcl")
	require.NoError(t, lockfile.Write(path, lockfile.Lock{}))
	_, errors := whole(t, dir, 1, "payloads", path, "x")
	assert.Contains(t, errors, "the lock file is empty")
	input := lockfile.Input{Kind: lockfile.KindLocalAI, Name: "local-ai", Arch: "amd64", Source: "local-ai"}
	require.NoError(t, lockfile.Write(path, lockfile.Lock{Inputs: []lockfile.Input{input}}))
	_, errors = whole(t, dir, 1, "payloads", path, "x", "arm64")
	assert.Contains(t, errors, "the lock file has nothing for arm64")
}
