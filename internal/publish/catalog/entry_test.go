package catalog

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
)

func exampleEntry(t *testing.T) Entry {
	t.Helper()
	entries, err := NewEntries(exampleApp("1.0.0"), []manifest.Manifest{exampleManifest()}, baseURL(t, "https://apps.example.org"))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	return entries[0]
}

func TestListIsGolden(t *testing.T) {
	l, gone, err := list{}.with([]Entry{exampleEntry(t)}, 0)
	require.NoError(t, err)
	assert.Empty(t, gone)
	content, err := l.content()
	require.NoError(t, err)
	golden(t, "appliances.json", content)
}

// The template is one line of JSON in the list; here it is in a form people can review.
func TestTemplateIsGolden(t *testing.T) {
	var template any
	require.NoError(t, json.Unmarshal([]byte(exampleEntry(t).OpenNebulaTemplate), &template))
	content, err := indented(template)
	require.NoError(t, err)
	golden(t, "opennebula_template.json", content)
}

// The recorded list is one that a front-end (OpenNebula 7.0.0) has imported.
func TestEntryHasTheKeysOfARecordedOne(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "one-marketplace-appliance.json"))
	require.NoError(t, err)
	var recorded struct {
		Appliances []map[string]any `json:"appliances"`
	}
	require.NoError(t, json.Unmarshal(content, &recorded))
	want := shape(recorded.Appliances[0])

	ours, err := json.Marshal(exampleEntry(t))
	require.NoError(t, err)
	var entry map[string]any
	require.NoError(t, json.Unmarshal(ours, &entry))
	got := shape(entry)
	assert.Equal(t, "string", got["publisher_email"])
	delete(got, "publisher_email") // Ours alone; OpenNebula's own marketplace has it.
	delete(got, "app")             // Ours alone; the driver does not look at it.
	assert.Equal(t, want, got)
}

// shape is every path of a JSON value with its type; it does not go into lists of words.
func shape(value any) map[string]string {
	found := map[string]string{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, v := range value {
				walk(strings.TrimPrefix(path+"."+key, "."), v)
			}
		case []any:
			walk(path+"[]", value[0])
		case string:
			found[path] = "string"
		case float64:
			found[path] = "number"
		default:
			found[path] = "other"
		}
	}
	walk("", value)
	return found
}

func TestTemplateOfEntryPassesTheLint(t *testing.T) {
	assert.Empty(t, lintTemplate(exampleEntry(t).OpenNebulaTemplate))
}

func TestQuotesInATemplateAreEscaped(t *testing.T) {
	template := app.VMTemplate{
		Attributes: map[string]string{"A": `say "hi"`},
		Vectors:    map[string][]map[string]string{"V": {{"B": `"`}}},
	}
	content, err := marshal(template.Map(escapeQuotes))
	require.NoError(t, err)
	var read map[string]any
	require.NoError(t, json.Unmarshal(content, &read))
	assert.Equal(t, map[string]any{"A": `say \"hi\"`, "V": map[string]any{"B": `\"`}}, read)
	assert.Equal(t, `say "hi"`, template.Attributes["A"], "the template itself is left alone")
}

func TestIDChangesWithWhatMakesAnotherImage(t *testing.T) {
	base := baseURL(t, "http://h")
	first, m := exampleApp("1.0.0"), exampleManifest()
	ids := map[string]bool{}
	add := func(described app.App, change func()) {
		change()
		entries, err := NewEntries(described, []manifest.Manifest{m}, base)
		require.NoError(t, err)
		assert.Regexp(t, idPattern, entries[0].ID.OID)
		ids[entries[0].ID.OID] = true
	}
	add(first, func() {})
	add(first, func() { m.CreationTime++ })
	assert.Len(t, ids, 1, "another time alone makes no other image")
	add(exampleApp("1.0.1"), func() {})
	add(first, func() { m.OSArch = "aarch64" })
	add(first, func() { m.SHA256 = strings.Repeat("a", 64) })
	assert.Len(t, ids, 4)
}

func TestNewEntriesRefusesANameOpenNebulaWould(t *testing.T) {
	app := exampleApp("1.0.0")
	app.Name = strings.Repeat("n", 125)
	_, err := NewEntries(app, []manifest.Manifest{exampleManifest()}, baseURL(t, "http://h"))
	assert.ErrorContains(t, err, "app.name and app.version")
	assert.ErrorContains(t, err, "must have at most 128 bytes")
}
