package licenses

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

// The digests are those of the files in the repositories: git hashes LocalAI's blob as
// 65ebf26018f7.
func TestTextsAreTrueCopies(t *testing.T) {
	own, err := os.ReadFile("../../../LICENSE")
	require.NoError(t, err)
	assert.Equal(t, string(own), apache)
	for text, want := range map[string]string{
		localAI:  "56bef7ba54ae4e4477b9effe34b6e6cadc1b0bcfaacc5be503096a1ce0a9d391",
		llamaCPP: "94f29bbed6a22c35b992c5c6ebf0e7c92f13b836b90f36f461c9cf2f0f1d010d",
		apache:   "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
	} {
		sum := sha256.Sum256([]byte(text))
		assert.Equal(t, want, hex.EncodeToString(sum[:]), text[:min(len(text), 80)])
	}
	assert.Contains(t, localAI, "Copyright (c) 2023-2025 Ettore Di Giacinto (mudler@localai.io)")
	assert.Contains(t, llamaCPP, "Copyright (c) 2023-2026 The ggml authors")
}

type module struct {
	Path, Version, Dir string
	Main               bool
}

// linked lists the modules that the agent is linked with, on all architectures.
func linked(t *testing.T) []module {
	t.Helper()
	found := map[string]module{}
	for _, arch := range []string{"amd64", "arm64"} {
		list := exec.Command("go", "list", "-deps", "-json=Module", "./runtime-agent")
		list.Dir, list.Env = "../../..", append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
		output, err := list.Output()
		require.NoError(t, err)
		for decoder := json.NewDecoder(strings.NewReader(string(output))); ; {
			var p struct{ Module *module }
			err := decoder.Decode(&p)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			if p.Module != nil && !p.Module.Main {
				found[p.Module.Path] = *p.Module
			}
		}
	}
	var modules []module
	for _, m := range found {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return modules
}

// notices returns the files in a directory that a copy must come with.
func notices(t *testing.T, dir string) string {
	t.Helper()
	var texts []string
	for _, pattern := range []string{"LICEN[CS]E*", "COPYING*", "NOTICE*", "PATENTS*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			texts = append(texts, strings.Trim(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")+"\n")
		}
	}
	require.NotEmpty(t, texts, "%s has no licence", dir)
	return strings.Join(texts, "\n")
}

func TestTextsOfModulesAreThoseOfTheBuild(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	text := "Go, its runtime and standard library (https://go.dev)\n\n" + notices(t, strings.TrimSpace(string(root)))
	modules := linked(t)
	require.NotEmpty(t, modules)
	for _, m := range modules {
		text += fmt.Sprintf("\n%s\n%s %s\n\n%s", strings.Repeat("-", 80), m.Path, m.Version, notices(t, m.Dir))
	}
	goldentest.Equal(t, "texts/modules.txt", text, "the agent is linked with other modules: go test ./internal/supply/licenses -update")
}

func TestTexts(t *testing.T) {
	for expression, want := range map[string]struct {
		text    string
		unknown []string
	}{
		"Apache-2.0":                    {apache, nil},
		"(MIT OR Apache-2.0)":           {apache, []string{"MIT"}},
		"LicenseRef-Own":                {"", []string{"LicenseRef-Own"}},
		"GPL-2.0-only WITH X AND (MIT)": {"", []string{"GPL-2.0-only", "X", "MIT"}},
		"":                              {"", nil},
	} {
		text, unknown := Texts(expression)
		assert.Equal(t, want.text, text, expression)
		assert.Equal(t, want.unknown, unknown, expression)
	}
}

// A fork under another licence does not come with the text of the original.
func TestATextIsOfItsLicenceAlone(t *testing.T) {
	for license, has := range map[string]bool{"MIT": true, "": true, "GPL-3.0-only": false} {
		assert.Equal(t, has, LocalAI("v9.9.9", license).Text != "", license)
		assert.Equal(t, has, Backend("v9.9.9", license).Text != "", license)
	}
}

func TestFormat(t *testing.T) {
	file := Format([]Work{{"a", "1", "X-1.0", "text of X\n"}, {"b", "", "X-1.0", "text of X\n"}, {Name: "c", Version: "2"}})
	assert.Equal(t, `Licences of what was baked into this image. Those of the packages of its distribution are in
/usr/share/doc/<package>/copyright.

- a 1 (X-1.0)
- b (X-1.0)
- c 2 (no licence is stated)

`+rule+`a 1 (X-1.0)
`+rule+`
text of X

`+rule+`b (X-1.0)
`+rule+`
The text is that of a, above.

`+rule+`c 2 (no licence is stated)
`+rule+`
Its text did not come with it: ask its publisher for it.
`, file)
}

func TestTheAgentComesWithWhatItIsLinkedWith(t *testing.T) {
	file := Format(append(Agent("agent", "1"), LocalAI("v1", "MIT"), Backend("v1", "MIT")))
	for _, holder := range []string{
		"Apache License", "The Go Authors", "VictoriaMetrics", "Cenk Alt", "The Gofrs", "Aliaksandr Valialkin",
		"Ettore Di Giacinto", "The ggml authors",
	} {
		assert.Contains(t, file, holder)
	}
}
