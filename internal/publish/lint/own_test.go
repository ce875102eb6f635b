package lint

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/catalog"
)

func ownManifest(arch string) manifest.Manifest {
	return manifest.Manifest{
		Name: "slm-copilot", Version: "1.0.0", Image: "slm-copilot-1.0.0.qcow2", Format: "qcow2", Size: 40 << 30, FileSize: 15 << 30,
		MD5: "d41d8cd98f00b204e9800998ecf8427e", SHA1: "da39a3ee5e6b4b0d3255bfef95601890afd80709",
		SHA256:       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		CreationTime: 1795300000, OSID: "ubuntu", OSRelease: "24.04", OSArch: arch, Model: manifest.Model{MemoryMiB: 19456},
	}
}

func TestOwnTemplatesHaveNoFindings(t *testing.T) {
	for _, arch := range []string{"x86_64", "aarch64"} {
		several := ownManifest(arch)
		several.ModelID, several.OtherModels = "large-1.0", []manifest.Model{{ModelID: "Small_2"}}
		for _, m := range []manifest.Manifest{ownManifest(arch), several} {
			app := app.DefaultFor(m)
			app.Logo = "slm-copilot.png"
			assert.Empty(t, Template("VM template", []byte(app.VMTemplate(arch).Text())))
		}
	}
}

func TestOwnEntriesHaveNoFindings(t *testing.T) {
	base, err := catalog.ParseBaseURL("https://apps.example.org")
	require.NoError(t, err)
	model := ownManifest("")
	model.OSID, model.OSRelease, model.SHA256, model.MD5 = "", "", strings.Repeat("ab", 32), strings.Repeat("ab", 16)
	several := ownManifest("x86_64")
	several.ModelID, several.OtherModels = "large", []manifest.Model{{ModelID: "small"}}
	for name, images := range map[string][]manifest.Manifest{
		"several models": {several}, "one disk": {ownManifest("x86_64")}, "another architecture": {ownManifest("aarch64")}, "two disks": {ownManifest("x86_64"), model},
	} {
		app := app.DefaultFor(images[0])
		app.Publisher = `Example "Org"`
		entries, err := catalog.NewEntries(app, images, base)
		require.NoError(t, err)
		for _, content := range []any{entries[0], map[string]any{"sEcho": 1, "appliances": entries}} {
			text, err := json.MarshalIndent(content, "", " ")
			require.NoError(t, err)
			findings, err := Lint(name, text)
			require.NoError(t, err)
			assert.Empty(t, findings)
		}
	}
}

// What the rules spare other apps is not spared this appliance's.
func TestOwnTemplatesAreHeldToEverything(t *testing.T) {
	whole := app.DefaultFor(ownManifest("x86_64")).VMTemplate("x86_64").Text()
	without := func(text string, names ...string) string {
		for _, name := range names {
			attribute := regexp.MustCompile(`(?ms)^` + name + `=("[^\n]*|\[.*?\" \])\n`)
			require.Regexp(t, attribute, text)
			text = attribute.ReplaceAllString(text, "")
		}
		return text
	}
	for name, test := range map[string]struct{ text, rule string }{
		"no inputs":                {without(whole, "USER_INPUTS", "INPUTS_ORDER"), ruleContextInput},
		"an order of nothing":      {without(whole, "USER_INPUTS"), ruleInputOrder},
		"no context, and no input": {without(whole, "CONTEXT", "USER_INPUTS", "INPUTS_ORDER"), ruleReportReady},
		"a password for all":       {strings.Replace(whole, `ONEAPP_COPILOT_PASSWORD="$ONEAPP_COPILOT_ACCESS_PASSWORD"`, `ONEAPP_COPILOT_PASSWORD="opensesame"`, 1), ruleContextLiteral},
		"a literal of no input":    {strings.Replace(whole, "CONTEXT=[", "CONTEXT=[\n  ONEAPP_COPILOT_FOO=\"x\",", 1), ruleContextLiteral},
		"a generic CPU":            {without(whole, "CPU_MODEL"), ruleCPUModel},
		"one CPU by accident":      {without(whole, "VCPU"), ruleCapacity},
	} {
		t.Run(name, func(t *testing.T) {
			require.NotEqual(t, whole, test.text)
			findings := Template("VM template", []byte(test.text))
			assert.True(t, slices.ContainsFunc(findings, func(f Finding) bool { return f.Rule == test.rule }), "%v", findings)
		})
	}
}
