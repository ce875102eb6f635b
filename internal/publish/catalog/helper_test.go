package catalog

import (
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	goldentest.Equal(t, path, got)
}

// exampleApp has every text and option set.
func exampleApp(version string) app.App {
	app := app.Default()
	app.Version = version
	app.Publisher = `Example "Org"`
	app.PublisherEmail = "apps@example.org"
	app.Logo = "slm-copilot.png"
	return app
}

func exampleManifest() manifest.Manifest {
	return manifest.Manifest{
		Name: "slm-copilot", Version: "1.0.0", Image: "slm-copilot-1.0.0-x86_64.qcow2", Format: "qcow2",
		Size: 40 << 30, FileSize: 15354000000,
		MD5:          "d41d8cd98f00b204e9800998ecf8427e",
		SHA1:         "da39a3ee5e6b4b0d3255bfef95601890afd80709",
		SHA256:       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		CreationTime: 1795300000,
		OSID:         "ubuntu", OSRelease: "24.04", OSArch: "x86_64",
	}
}

func baseURL(t *testing.T, text string) BaseURL {
	t.Helper()
	base, err := ParseBaseURL(text)
	require.NoError(t, err)
	return base
}

// image is one that was built: a file of random bytes and its manifest.
type image struct {
	path     string
	manifest manifest.Manifest
}

func newImage(t *testing.T, dir string, size int) image {
	t.Helper()
	content := make([]byte, size)
	_, err := rand.Read(content)
	require.NoError(t, err)
	path := filepath.Join(dir, "slm-copilot.qcow2")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	is, err := digest.File(t.Context(), path, nil)
	require.NoError(t, err)
	m := exampleManifest()
	m.FileSize, m.MD5, m.SHA1, m.SHA256 = is.Size, is.MD5, is.SHA1, is.SHA256
	return image{path, m}
}

func silent(string) {}

func open(t *testing.T, dir string) *Catalog {
	t.Helper()
	c, err := Open(t.Context(), dir, baseURL(t, "https://apps.example.org"), silent)
	require.NoError(t, err)
	return c
}

func newEntry(t *testing.T, c *Catalog, version string, img image) Entry {
	t.Helper()
	entries, err := NewEntries(exampleApp(version), []manifest.Manifest{img.manifest}, c.base)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	return entries[0]
}

// publish does all that one run does, and tells whether it changed anything.
func publish(t *testing.T, dir, version string, img image) (Entry, bool) {
	t.Helper()
	c := open(t, dir)
	entry := newEntry(t, c, version, img)
	require.NoError(t, c.PlaceImage(t.Context(), entry, img.path, img.manifest.FileSize, nil))
	require.NoError(t, c.WriteApp(entry))
	require.NoError(t, c.Publish([]Entry{entry}, Options{}))
	require.NoError(t, c.Close())
	return entry, c.Changed()
}

// tree is every path below dir with its mode, and with content or target for what is
// small.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dir)
		info, err := d.Info()
		if err != nil {
			return err
		}
		found[name] = info.Mode().String()
		switch {
		case info.Mode().Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			found[name] += " " + target
			return err
		case info.Mode().IsRegular():
			content, err := os.ReadFile(path)
			found[name] += " " + string(content)
			return err
		}
		return nil
	})
	require.NoError(t, err)
	return found
}
