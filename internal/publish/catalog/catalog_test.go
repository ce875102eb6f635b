package catalog

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func readEntries(t *testing.T, dir string) list {
	t.Helper()
	l, err := readList(filepath.Join(dir, listFile))
	require.NoError(t, err)
	return l
}

func names(l list) []string {
	var all []string
	for _, e := range l.entries {
		all = append(all, e.name)
	}
	return all
}

func TestPublishTwiceChangesNothing(t *testing.T) {
	dir, img := filepath.Join(t.TempDir(), "dist", "market"), newImage(t, t.TempDir(), 1000)
	_, changed := publish(t, dir, "1.0.0", img)
	assert.True(t, changed)
	first := tree(t, dir)

	_, changed = publish(t, dir, "1.0.0", img)
	assert.False(t, changed)
	assert.Equal(t, first, tree(t, dir))
}

func TestEverythingIsReadableForAWebServer(t *testing.T) {
	previous := syscall.Umask(0o077)
	defer syscall.Umask(previous)
	dir, img := filepath.Join(t.TempDir(), "market"), newImage(t, t.TempDir(), 10)
	entry, _ := publish(t, dir, "1.0.0", img)
	paths := []string{
		".", listFile, siteFile, imagesDir, filepath.Base(entry.Files[0].URL),
		"appliance", "appliance/" + entry.ID.OID, "appliance/" + entry.ID.OID + "/download",
		"appliance/" + entry.ID.OID + "/download/0", "appliance/" + entry.ID.OID + "/app.json",
	}
	paths[4] = filepath.Join(imagesDir, paths[4])
	for _, path := range paths {
		info, err := os.Stat(filepath.Join(dir, path))
		require.NoError(t, err)
		want := os.FileMode(0o004)
		if info.IsDir() {
			want = 0o005
		}
		assert.Equal(t, want, info.Mode().Perm()&want, "%s has mode %s", path, info.Mode())
	}
}

func TestANewVersionKeepsTheOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	old, img := newImage(t, t.TempDir(), 1000), newImage(t, t.TempDir(), 1000)
	oldEntry, _ := publish(t, dir, "1.0.0", old)
	before := tree(t, dir)

	entry, changed := publish(t, dir, "1.1.0", img)
	assert.True(t, changed)
	assert.NotEqual(t, oldEntry.ID, entry.ID)
	assert.Equal(t, []string{"SLM-Copilot 1.1.0", "SLM-Copilot 1.0.0"}, names(readEntries(t, dir)))
	after := tree(t, dir)
	for path, was := range before {
		if path != "/"+current {
			assert.Equal(t, was, after[path], path)
		}
	}
}

func TestARebuildReplacesItsVersionAndItsFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	kept, old, img := newImage(t, t.TempDir(), 1000), newImage(t, t.TempDir(), 1000), newImage(t, t.TempDir(), 1000)
	keptEntry, _ := publish(t, dir, "0.9.0", kept)
	oldEntry, _ := publish(t, dir, "1.0.0", old)
	entry, changed := publish(t, dir, "1.0.0", img)
	assert.True(t, changed)
	assert.Equal(t, []string{"SLM-Copilot 1.0.0", "SLM-Copilot 0.9.0"}, names(readEntries(t, dir)))

	images, err := os.ReadDir(filepath.Join(dir, imagesDir))
	require.NoError(t, err)
	var left []string
	for _, i := range images {
		left = append(left, i.Name())
	}
	assert.ElementsMatch(t, []string{filepath.Base(keptEntry.Files[0].URL), filepath.Base(entry.Files[0].URL)}, left)
	assert.NoDirExists(t, filepath.Join(dir, appsDir, oldEntry.ID.OID))
	assert.FileExists(t, filepath.Join(dir, appsDir, keptEntry.ID.OID, "download", "0"))
	assert.FileExists(t, old.path, "the artifact of the old build is not ours to delete")
}

func TestANewDescriptionChangesTheEntryInPlace(t *testing.T) {
	dir, img := filepath.Join(t.TempDir(), "market"), newImage(t, t.TempDir(), 10)
	publish(t, dir, "1.0.0", img)
	c := open(t, dir)
	entry := newEntry(t, c, "1.0.0", img)
	entry.ShortDescription = "said anew"
	require.NoError(t, c.WriteApp(entry))
	require.NoError(t, c.Publish([]Entry{entry}, Options{}))
	require.NoError(t, c.Close())
	assert.True(t, c.Changed())
	content, err := os.ReadFile(c.ListPath())
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(content), "said anew"))
	assert.Len(t, readEntries(t, dir).entries, 1)
}

// A run that ends after any number of its steps leaves what was there before it.
func TestAnInterruptedRunLeavesTheOldCatalog(t *testing.T) {
	for name, steps := range map[string]int{"opened": 0, "image placed": 1, "app written": 2} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			existing, fresh := filepath.Join(parent, "existing"), filepath.Join(parent, "fresh")
			publish(t, existing, "1.0.0", newImage(t, t.TempDir(), 1000))
			before := tree(t, existing)
			img := newImage(t, t.TempDir(), 1000)
			for _, dir := range []string{existing, fresh} {
				c := open(t, dir)
				entry := newEntry(t, c, "1.1.0", img)
				if steps > 0 {
					require.NoError(t, c.PlaceImage(t.Context(), entry, img.path, 1000, nil))
				}
				if steps > 1 {
					require.NoError(t, c.WriteApp(entry))
				}
				require.NoError(t, c.Close())
			}
			assert.Equal(t, before, tree(t, existing))
			assert.NoDirExists(t, fresh)
		})
	}
}

func TestAMissingImageOfAListedAppIsBroughtBack(t *testing.T) {
	dir, img := filepath.Join(t.TempDir(), "market"), newImage(t, t.TempDir(), 1000)
	publish(t, dir, "1.0.0", img)
	before := tree(t, dir)
	c := open(t, dir)
	entry := newEntry(t, c, "1.0.0", img)
	require.NoError(t, os.Remove(c.ImagePath(entry)))
	require.NoError(t, c.PlaceImage(t.Context(), entry, img.path, 1000, nil))
	require.NoError(t, c.Close())
	assert.Equal(t, before, tree(t, dir), "a repair stays, whatever comes of the run")
}

func TestHalfCopiesOfKilledRunsAreRemoved(t *testing.T) {
	dir, img := filepath.Join(t.TempDir(), "market"), newImage(t, t.TempDir(), 10)
	publish(t, dir, "1.0.0", img)
	half := filepath.Join(dir, imagesDir, "slm-copilot-0.9.0-aaaaaaaaaaaa.qcow2"+partial)
	require.NoError(t, os.WriteFile(half, []byte("half"), 0o600))
	require.NoError(t, open(t, dir).Close())
	assert.NoFileExists(t, half)
}

func TestADamagedListIsRefusedAndLeftAlone(t *testing.T) {
	dir, img := filepath.Join(t.TempDir(), "market"), newImage(t, t.TempDir(), 10)
	publish(t, dir, "1.0.0", img)
	path := filepath.Join(dir, listFile)
	require.NoError(t, os.Truncate(path, 100))
	before := tree(t, dir)
	_, err := Open(t.Context(), dir, baseURL(t, "http://h"), silent)
	require.ErrorContains(t, err, "the list "+path+" is damaged and is left as it is")
	assert.Equal(t, before, tree(t, dir), "and no lock is left")
}

func TestOpenSaysWhatIsInTheWay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Open(t.Context(), file, baseURL(t, "http://h"), silent)
	assert.ErrorContains(t, err, file)
	_, err = Open(t.Context(), filepath.Join(t.TempDir(), "a$b"), baseURL(t, "http://h"), silent)
	assert.ErrorContains(t, err, "which nginx cannot have in a path")
}

func TestPlaceLinksOnTheSameFileSystem(t *testing.T) {
	dir := t.TempDir()
	img := newImage(t, dir, 1000)
	alias := filepath.Join(dir, "alias.qcow2")
	require.NoError(t, os.Symlink(img.path, alias))
	target := filepath.Join(dir, "target.qcow2")
	require.NoError(t, place(t.Context(), alias, target, 1000, nil))
	assert.True(t, sameFile(t, img.path, target))
	info, err := os.Lstat(target)
	require.NoError(t, err)
	assert.True(t, info.Mode().IsRegular(), "a link to the file, not to the name")
}

func TestPlaceCopiesBetweenFileSystems(t *testing.T) {
	shm, err := os.MkdirTemp("/dev/shm", "catalog-test-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(shm)) })
	img := newImage(t, shm, 3<<20)
	target := filepath.Join(t.TempDir(), "target.qcow2")
	require.NoError(t, place(t.Context(), img.path, target, 3<<20, nil))
	assert.False(t, sameFile(t, img.path, target))
	want, err := os.ReadFile(img.path)
	require.NoError(t, err)
	got, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		dir := t.TempDir()
		err := place(ctx, img.path, filepath.Join(dir, "target.qcow2"), 3<<20, nil)
		assert.ErrorIs(t, err, context.Canceled)
		assert.Len(t, tree(t, dir), 1, "only the directory itself")
	})
	t.Run("changed meanwhile", func(t *testing.T) {
		dir := t.TempDir()
		err := place(t.Context(), img.path, filepath.Join(dir, "target.qcow2"), 7, nil)
		assert.ErrorContains(t, err, "it has 3145728 bytes now, 7 were expected")
		assert.Len(t, tree(t, dir), 1)
	})
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	first, err := os.Stat(a)
	require.NoError(t, err)
	second, err := os.Stat(b)
	require.NoError(t, err)
	return os.SameFile(first, second)
}
