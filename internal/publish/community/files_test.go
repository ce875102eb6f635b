package community

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/lint"
)

func TestFilesAreGolden(t *testing.T) {
	files := exampleFiles(t)
	for name, content := range files {
		if filepath.Ext(name) != ".png" {
			golden(t, name, content)
		}
	}
	assert.Len(t, files, 8)
	assert.Equal(t, exampleLogo(t, 300, 300), files["logos/slm-copilot.png"])
}

func TestFilesPassOurLint(t *testing.T) {
	for _, arch := range []string{"x86_64", "aarch64"} {
		m := exampleManifest()
		m.OSArch = arch
		files, err := Files(exampleApp(), m, imageURL, nil)
		require.NoError(t, err)
		for _, name := range []string{entryName(t, files), appDir + "metadata.yaml"} {
			findings, err := lint.Lint(name, files[name])
			require.NoError(t, err)
			assert.NoError(t, lint.Error(findings))
		}
	}
}

// The configuration is that of the repository's own check, but a warning fails as well.
func TestFilesPassYAMLLint(t *testing.T) {
	app := exampleApp()
	app.Description = "A line with blanks   \n\n  indented first\ta tab\n\n\n\n# no comment: 'q' \"d\"\n- no list\n"
	files, err := Files(app, exampleManifest(), imageURL, nil)
	require.NoError(t, err)
	assert.Contains(t, string(files[entryName(t, files)]), "\ndescription: |-\n  A line with blanks\n\n", "people can read it")
	for _, files := range []map[string][]byte{exampleFiles(t), files} {
		const config = "{extends: default, rules: {line-length: disable, indentation: {indent-sequences: whatever}}}"
		lint := exec.CommandContext(t.Context(), "yamllint", "--strict", "-d", config, "appliances")
		lint.Dir = checkout(t, files)
		output, err := lint.CombinedOutput()
		assert.NoError(t, err, "run make setup, or: %s", output)
	}
}

// entryOf is <uuid>.yaml as the marketplace's server reads it.
func entryOf(t *testing.T, files map[string][]byte) map[string]any {
	t.Helper()
	var entry map[string]any
	require.NoError(t, yaml.Unmarshal(files[entryName(t, files)], &entry))
	return entry
}

func TestEntrySaysWhatTheManifestSays(t *testing.T) {
	files := exampleFiles(t)
	m := exampleManifest()
	assert.Equal(t, appDir+app.UUID("SLM-Copilot", "x86_64")+".yaml", entryName(t, files))
	entry := entryOf(t, files)
	assert.Equal(t, "SLM-Copilot", entry["name"])
	assert.Equal(t, "1.0.0-0-20261121", entry["version"])
	assert.EqualValues(t, m.CreationTime, entry["creation_time"])
	assert.Equal(t, "6.10, 7.0, 7.2, 7.4", entry["opennebula_version"])
	assert.Equal(t, "slm-copilot.png", entry["logo"])
	assert.Equal(t, strings.TrimSpace(exampleApp().Description), entry["description"])
	assert.Equal(t, []any{map[string]any{
		"name": "slm-copilot", "url": imageURL, "type": "OS", "dev_prefix": "vd", "driver": "qcow2",
		"size": 40 << 30, "checksum": map[string]any{"md5": m.MD5, "sha256": m.SHA256},
	}}, entry["images"])

	template, ok := entry["opennebula_template"].(map[string]any)
	require.True(t, ok)
	assert.NotContains(t, template, "NIC")
	assert.NotContains(t, template, "DISK")
	assert.Equal(t, "16", template["VCPU"])
	app := exampleApp()
	app.Logo = "slm-copilot.png"
	want, err := json.Marshal(app.VMTemplate("x86_64"))
	require.NoError(t, err)
	got, err := json.Marshal(template)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(got), "the same template as everywhere")
}

// The repository's tests instantiate the template with the default model named, as a form would.
func TestSeveralModels(t *testing.T) {
	m := exampleManifest()
	m.ModelID, m.OtherModels = "large", []manifest.Model{{ModelID: "small"}}
	files, err := Files(app.DefaultFor(m), m, imageURL, nil)
	require.NoError(t, err)
	assert.Contains(t, string(files[appDir+"metadata.yaml"]), "      :COPILOT_MODEL: 'large'\n")
	assert.Contains(t, string(files[appDir+"README.md"]), "| `ONEAPP_COPILOT_MODEL` | `large` | Model to serve")
	assert.Contains(t, string(files[appDir+"README.md"]), "- `small`: small\n")
	template := entryOf(t, files)["opennebula_template"].(map[string]any)
	assert.Contains(t, template["USER_INPUTS"].(map[string]any)["ONEAPP_COPILOT_MODEL_NAME"], "|large,small|large")

	for name, content := range exampleFiles(t) {
		assert.NotContains(t, string(content), "COPILOT_MODEL:", name)
		assert.NotContains(t, string(content), "MODEL_NAME", name)
	}
}

// A number, or YES without quotes, would cost the app its template.
func TestEveryValueOfTheTemplateIsAQuotedString(t *testing.T) {
	var document yaml.Node
	files := exampleFiles(t)
	require.NoError(t, yaml.Unmarshal(files[entryName(t, files)], &document))
	root := document.Content[0]
	checked := 0
	var check func(n *yaml.Node)
	check = func(n *yaml.Node) {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 1; i < len(n.Content); i += 2 {
				check(n.Content[i])
			}
		case yaml.SequenceNode:
			for _, item := range n.Content {
				check(item)
			}
		default:
			checked++
			assert.NotZero(t, n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle), "%q in line %d", n.Value, n.Line)
		}
	}
	for i, key := range root.Content {
		if key.Value == "opennebula_template" {
			check(root.Content[i+1])
		}
	}
	assert.Greater(t, checked, 20)
}

func TestQuotesInTheTemplateAreEscaped(t *testing.T) {
	content, err := yaml.Marshal(vmTemplate(app.VMTemplate{
		Attributes: map[string]string{"A": `say "hi"`},
		Vectors:    map[string][]map[string]string{"V": {{"B": `"`}}},
	}))
	require.NoError(t, err)
	var read map[string]any
	require.NoError(t, yaml.Unmarshal(content, &read))
	assert.Equal(t, map[string]any{"A": `say \"hi\"`, "V": map[string]any{"B": `\"`}}, read)
}

func TestArchitecturesAreTwoApps(t *testing.T) {
	m := exampleManifest()
	m.OSArch = "aarch64"
	files, err := Files(exampleApp(), m, imageURL, nil)
	require.NoError(t, err)
	assert.NotEqual(t, entryName(t, exampleFiles(t)), entryName(t, files))
	assert.Equal(t, "SLM-Copilot aarch64", entryOf(t, files)["name"])
	assert.NotContains(t, files, "logos/slm-copilot.png", "the repository has it")
}

func TestFilesListEveryMistake(t *testing.T) {
	m := exampleManifest()
	m.OSID, m.OSRelease, m.OSArch = "", "", ""
	_, err := Files(exampleApp(), m, "https://user:hush@cdn.example.org/x.qcow2", []byte("x"))
	require.Error(t, err)
	for _, mistake := range []string{"holds no operating system", "must hold no credentials", "the logo is no PNG"} {
		assert.ErrorContains(t, err, mistake)
	}
	assert.NotContains(t, err.Error(), "hush")
}

func TestCheckImageURL(t *testing.T) {
	for text, valid := range map[string]bool{
		imageURL:                          true,
		"http://h/x.qcow2":                true,
		"PUBLISH_URL":                     false,
		"https://h":                       false,
		"https://h/":                      false,
		"ftp://h/x":                       false,
		"https://h/x.qcow2?X-Signature=1": false,
		"https://h/x.qcow2#a":             false,
		"":                                false,
		"https://user@h/x":                false,
		"https://h:port/x":                false,
	} {
		assert.Equal(t, valid, CheckImageURL(text) == nil, "%q", text)
	}
}

func TestCheckLogo(t *testing.T) {
	whole := exampleLogo(t, 300, 300)
	large := append(exampleLogo(t, 300, 300), make([]byte, maxLogo)...)
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"too wide":    {exampleLogo(t, 301, 300), "the logo has 301 by 300 pixels; it must have 300 by 300"},
		"too low":     {exampleLogo(t, 300, 299), "it must have 300 by 300"},
		"no PNG":      {[]byte("GIF89a"), "the logo is no PNG"},
		"cut short":   {whole[:len(whole)/2], "the logo is a damaged PNG"},
		"of 100 KiB+": {large, "at most 100.0 KiB are taken"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.ErrorContains(t, checkLogo(test.content), test.want)
		})
	}
	assert.NoError(t, checkLogo(whole))
	assert.NoError(t, checkLogo(nil))
}

func FuzzCheckLogo(f *testing.F) {
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if checkLogo(content) == nil {
			assert.LessOrEqual(t, len(content), maxLogo)
		}
	})
}

// Its tests look for one-context, and log in as root.
func TestAnImageWithCloudInitIsNotForTheCommunity(t *testing.T) {
	m := exampleManifest()
	for context, refused := range map[string]bool{"cloud-init": true, "one-context": false, "": false} {
		m.Context = context
		_, err := Files(exampleApp(), m, imageURL, nil)
		if refused {
			assert.ErrorContains(t, err, `has cloud-init in place of one-context, which the community marketplace asks for: build it with context = "one-context"`)
		} else {
			assert.NoError(t, err, context)
		}
	}
}
