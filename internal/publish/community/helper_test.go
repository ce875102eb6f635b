package community

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
)

const imageURL = "https://cdn.example.org/slm-copilot-1.0.0-x86_64.qcow2"

func exampleManifest() manifest.Manifest {
	return manifest.Manifest{
		Name: "slm-copilot", Version: "1.0.0", Image: "slm-copilot-1.0.0-x86_64.qcow2", Format: "qcow2",
		Size: 40 << 30, FileSize: 15354000000,
		MD5:          "d41d8cd98f00b204e9800998ecf8427e",
		SHA1:         "da39a3ee5e6b4b0d3255bfef95601890afd80709",
		SHA256:       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		CreationTime: 1795300000,
		OSID:         "ubuntu", OSRelease: "24.04", OSArch: "x86_64",
		Model: manifest.Model{ModelName: "Devstral Small 2 24B"},
	}
}

func exampleApp() app.App {
	app := app.DefaultFor(exampleManifest())
	app.Publisher = `Example "Org"`
	app.PublisherEmail = "apps@example.org"
	return app
}

func exampleLogo(t *testing.T, width, height int) []byte {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, width, height))
	picture.Set(1, 1, color.White)
	var buffer bytes.Buffer
	require.NoError(t, png.Encode(&buffer, picture))
	return buffer.Bytes()
}

func exampleFiles(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := Files(exampleApp(), exampleManifest(), imageURL, exampleLogo(t, 300, 300))
	require.NoError(t, err)
	return files
}

// checkout is a directory with the files in it.
func checkout(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	changed, err := Write(dir, files, func(string) {})
	require.NoError(t, err)
	require.True(t, changed)
	return dir
}

// entryName finds <uuid>.yaml.
func entryName(t *testing.T, files map[string][]byte) string {
	t.Helper()
	for name := range files {
		if base := filepath.Base(name); strings.Count(base, "-") == 4 && strings.HasSuffix(base, ".yaml") {
			return name
		}
	}
	require.Fail(t, "no <uuid>.yaml")
	return ""
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	goldentest.Equal(t, path, got)
}
