// Package demo_test runs all that make demo runs, and checks the result against the README.
// It boots virtual machines, so it is by far the slowest test.
package demo_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// demo is the result of one build, shared by the tests below because a build takes too long
// to repeat.
type demo struct {
	// directory is the output directory; catalog is the marketplace.
	directory, catalog string
	// image is the finished QCOW2.
	image string
	// output is everything that packer printed.
	output string
}

func TestDemo(t *testing.T) {
	prepare(t)
	t.Run("wrong checksum", testWrongChecksum)
	t.Run("interrupted build", testInterruptedBuild)

	out := outputDirectory(t)
	made := demo{directory: filepath.Join(out, "demo"), catalog: filepath.Join(out, "marketplace")}
	made.image = filepath.Join(made.directory, "slm-copilot-1.0.0-x86_64.qcow2")
	made.output = build(t, made)

	// The tests that boot the image run two at a time, after the others.
	for name, check := range map[string]func(*testing.T, demo){
		"manifest":             testManifest,
		"verify report":        testVerifyReport,
		"beside the image":     testBesideTheImage,
		"catalog":              testCatalog,
		"nothing left over":    testNothingLeftOver,
		"nothing in the image": testImageIsClean,
		"paths are printed":    testPathsArePrinted,
		"interrupted verify":   testInterruptedVerify,
		"demo-run":             testDemoRun,
		"inside":               testInside,
		"refused":              testRefused,
	} {
		t.Run(name, func(t *testing.T) { check(t, made) })
	}
}

func testManifest(t *testing.T, made demo) {
	described, err := manifest.Read(manifest.Path(made.image))
	require.NoError(t, err)
	digests, err := digest.File(t.Context(), made.image, nil)
	require.NoError(t, err)
	info, err := qemuimg.Inspect(made.image)
	require.NoError(t, err)
	assert.Equal(t, digests.SHA256, described.SHA256)
	assert.Equal(t, digests.SHA1, described.SHA1)
	assert.Equal(t, digests.MD5, described.MD5)
	assert.Equal(t, digests.Size, described.FileSize)
	assert.Equal(t, info.VirtualSize, described.Size)
	assert.Equal(t, int64(6<<30), described.Size)
	assert.Equal(t, "x86_64", described.OSArch)
	assert.Equal(t, []string{appliance.ModelID, otherModel}, described.ModelIDs())
}

func testVerifyReport(t *testing.T, made demo) {
	text, err := os.ReadFile(filepath.Join(made.directory, "slm-copilot-1.0.0-x86_64.verify.json"))
	require.NoError(t, err)
	var report struct {
		Passed bool
		Boots  []struct {
			Name   string
			Checks []struct {
				Name   string
				Passed bool
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &report))
	assert.True(t, report.Passed, "%s", text)
	require.Len(t, report.Boots, 2, "a boot, and one after a power cycle")
	assert.NotContains(t, report.Boots[0].Name, "UEFI")
	assert.Contains(t, report.Boots[1].Name, "UEFI")
	for _, boot := range report.Boots {
		assert.Greater(t, len(boot.Checks), 10, boot.Name)
		for _, check := range boot.Checks {
			assert.True(t, check.Passed, "%s: %s", boot.Name, check.Name)
		}
	}
	assert.FileExists(t, filepath.Join(made.directory, "slm-copilot-1.0.0-x86_64.verify.txt"))
}

func testCatalog(t *testing.T, made demo) {
	text, err := os.ReadFile(filepath.Join(made.catalog, "appliances.json"))
	require.NoError(t, err)
	var list struct {
		Appliances []struct {
			Name  string `json:"name"`
			Files []struct {
				Size int64  `json:"size"`
				MD5  string `json:"md5"`
			} `json:"files"`
		} `json:"appliances"`
	}
	require.NoError(t, json.Unmarshal(text, &list))
	require.Len(t, list.Appliances, 1)
	app := list.Appliances[0]
	assert.Equal(t, "SLM-Copilot Demo 1.0.0", app.Name)
	described, err := manifest.Read(manifest.Path(made.image))
	require.NoError(t, err)
	require.Len(t, app.Files, 1)
	assert.Equal(t, described.MD5, app.Files[0].MD5)
	assert.Equal(t, described.Size, app.Files[0].Size, "the size that OpenNebula needs is the virtual one")
}

func testPathsArePrinted(t *testing.T, made demo) {
	for _, path := range []string{made.image, "slm-copilot-1.0.0-x86_64.verify.txt", made.catalog} {
		assert.Contains(t, made.output, path)
	}
}
