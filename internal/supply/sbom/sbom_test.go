package sbom

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
	"github.com/spdx/tools-golang/spdxlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

func example(t *testing.T) Image {
	t.Helper()
	list, err := os.ReadFile(filepath.Join("testdata", "packages.txt"))
	require.NoError(t, err)
	packages, err := ParsePackages(string(list))
	require.NoError(t, err)
	return Image{
		Name: "slm-copilot", Version: "1.0.0", OSID: "debian", OSRelease: "12",
		Created: time.Date(2026, 11, 23, 4, 5, 6, 7, time.FixedZone("", 3600)),
		Components: []Component{
			{Name: "slm-copilot agent", Version: "0.1.0", License: "Apache-2.0", SHA256: strings.Repeat("1", 64), Purpose: "APPLICATION"},
			{
				Name: "LocalAI", Version: "v4.9.0", License: "MIT", SHA256: strings.Repeat("2", 64), Purpose: "APPLICATION",
				Source: "https://user:secret@example.org/local-ai-v4.9.0-linux-amd64?token=secret",
			},
			{
				Name: "llama-cpp", Version: "v4.9.0", License: "MIT AND (Apache-2.0 OR BSD-3-Clause)", SHA256: strings.Repeat("3", 64), Purpose: "LIBRARY",
				Source: "oci://quay.io/go-skynet/local-ai-backends:v4.9.0-cpu-llama-cpp",
			},
			{Name: "/srv/tuned model.gguf", License: "LicenseRef-Example-Research", SHA256: strings.Repeat("4", 64), Purpose: "FILE", Source: "/srv/model.gguf"},
			{Name: "firmware", License: "MIT AND LicenseRef-Example-Research", Purpose: "OPERATING-SYSTEM"},
		},
		Packages: packages,
	}
}

func encode(t *testing.T, image Image) string {
	t.Helper()
	text, err := image.Encode()
	require.NoError(t, err)
	return string(text)
}

func TestDocument(t *testing.T) {
	path := filepath.Join("testdata", "image.spdx.json")
	text := encode(t, example(t))
	goldentest.Equal(t, path, text)
	assert.NotContains(t, text, "secret")
	assert.NotContains(t, text, "/srv/")
}

// The reader and the validator of the SPDX project.
func TestDocumentIsSPDX(t *testing.T) {
	image := example(t)
	document, err := json.Read(strings.NewReader(encode(t, image)))
	require.NoError(t, err)
	require.NoError(t, spdxlib.ValidateDocument(document))
	described, err := spdxlib.GetDescribedPackageIDs(document)
	require.NoError(t, err)
	assert.Equal(t, []common.ElementID{"Image"}, described)

	assert.Equal(t, "2026-11-23T03:05:06Z", document.CreationInfo.Created)
	assert.Len(t, document.Packages, 1+len(image.Components)+len(image.Packages))
	assert.Len(t, document.Relationships, len(document.Packages))
	agent := document.Packages[1]
	assert.Equal(t, "Apache-2.0", agent.PackageLicenseDeclared)
	assert.Equal(t, []common.Checksum{{Algorithm: common.SHA256, Value: strings.Repeat("1", 64)}}, agent.PackageChecksums)
	contained := map[common.ElementID]bool{}
	for _, r := range document.Relationships[1:] {
		assert.Equal(t, common.ElementID("Image"), r.RefA.ElementRefID)
		assert.Equal(t, common.TypeRelationshipContains, r.Relationship)
		contained[r.RefB.ElementRefID] = true
	}
	for _, p := range document.Packages[1:] {
		assert.True(t, contained[p.PackageSPDXIdentifier], p.PackageSPDXIdentifier)
	}
	var again bytes.Buffer
	require.NoError(t, json.Write(document, &again), "nothing in it is lost on the SPDX project's own types")
	reread, err := json.Read(&again)
	require.NoError(t, err)
	assert.Equal(t, document, reread)
}

// Fields that a validator does not look at.
func TestIdentifiersAreUnique(t *testing.T) {
	image := example(t)
	document, err := json.Read(strings.NewReader(encode(t, image)))
	require.NoError(t, err)
	seen := map[common.ElementID]*v2_3.Package{}
	for _, p := range document.Packages {
		assert.Regexp(t, `^[a-zA-Z0-9.-]+$`, string(p.PackageSPDXIdentifier))
		assert.NotContains(t, seen, p.PackageSPDXIdentifier)
		seen[p.PackageSPDXIdentifier] = p
	}
	assert.Equal(t, "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12",
		seen["Package-amd64-libstdc-2B-2B6"].PackageExternalReferences[0].Locator)
}

func TestOrderOfPackagesDoesNotShow(t *testing.T) {
	image, reversed := example(t), example(t)
	slices.Reverse(reversed.Packages)
	assert.Equal(t, encode(t, image), encode(t, reversed))
}

func TestNamespaceChangesWithTheContent(t *testing.T) {
	namespace := func(change func(*Image)) string {
		image := example(t)
		change(&image)
		document, err := json.Read(strings.NewReader(encode(t, image)))
		require.NoError(t, err)
		return document.DocumentNamespace
	}
	first := namespace(func(*Image) {})
	assert.Regexp(t, `^https://github.com/slm-copilot/packer-plugin-slm-copilot/spdx/slm-copilot-1\.0\.0-[0-9a-f]{64}$`, first)
	assert.Equal(t, first, namespace(func(*Image) {}))
	assert.NotEqual(t, first, namespace(func(i *Image) { i.Components[0].Version = "0.1.1" }))
	assert.NotEqual(t, first, namespace(func(i *Image) { i.Created = i.Created.Add(time.Second) }))
}

func TestEveryMistakeIsListed(t *testing.T) {
	p := Package{"nginx", "1", "amd64", "nginx"}
	_, err := Image{
		Components: []Component{
			{License: "Apache 2", SHA256: "ABC", Purpose: "DATA"},
			{Name: "model", License: "MIT"},
		},
		Packages: []Package{p, {"Nginx", "1", "amd64", "nginx"}, p},
	}.Encode()
	require.Error(t, err)
	for _, want := range []string{
		"a name and a version", "ID and VERSION_ID", "time of its creation", "component 1 (): it has no name",
		`"Apache 2" is not an SPDX licence expression`, `"ABC" is not a SHA-256`, `"DATA" is not a primaryPackagePurpose`,
		`"Nginx", version "1"`, "nginx for amd64 is listed twice",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "model")
}

func TestCheckLicense(t *testing.T) {
	for _, good := range []string{
		"MIT", "Apache-2.0", "GPL-2.0+", "LicenseRef-Own", "MIT AND BSD-3-Clause OR Zlib",
		"(MIT)", "MIT OR (GPL-2.0-only WITH Classpath-exception-2.0)", "((MIT) AND (ISC OR 0BSD))",
	} {
		assert.NoError(t, CheckLicense(good), good)
	}
	for _, bad := range []string{
		"", " ", "Apache 2.0", "MIT AND", "AND MIT", "(MIT", "MIT)", "()", "MIT WITH", "MIT WITH OR", "MIT/BSD", "MIT, BSD", "MIT or BSD",
		strings.Repeat("(", 100000), strings.Repeat("MIT OR ", 1000) + "MIT",
	} {
		assert.Error(t, CheckLicense(bad), "%.30q", bad)
	}
}

func FuzzCheckLicense(f *testing.F) {
	f.Add("MIT OR (GPL-2.0-only WITH Classpath-exception-2.0)")
	f.Fuzz(func(t *testing.T, expression string) {
		if CheckLicense(expression) == nil {
			assert.NoError(t, CheckLicense("("+expression+") AND MIT"))
			assert.Error(t, CheckLicense(expression+" AND"))
		}
	})
}
