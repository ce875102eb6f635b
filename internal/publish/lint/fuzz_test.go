package lint

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
)

// FuzzLint: whatever is in a file, each finding names a line of it, a rule and what to do,
// and a second look finds the same.
func FuzzLint(f *testing.F) {
	for _, folder := range []string{"good", "bad"} {
		paths, err := filepath.Glob(filepath.Join("testdata", folder, "*"))
		require.NoError(f, err)
		for _, path := range paths {
			content, err := os.ReadFile(path)
			require.NoError(f, err)
			f.Add(filepath.Base(path), content)
		}
	}
	f.Add("metadata.yaml", []byte(":app: &a\n  :os: *a\n"))
	f.Add("a.json", []byte(`{"appliances":[null,[],{"files":[0],"images":{"a":1},"_id":7}]}`))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		findings, err := Lint(name, content)
		again, errAgain := Lint(name, content)
		assert.Equal(t, err, errAgain)
		assert.Equal(t, findings, again)
		if err != nil {
			assert.Empty(t, findings)
		}
		// To YAML all of these end a line.
		lines := 1
		for _, r := range string(content) {
			if strings.ContainsRune("\n\r\u0085\u2028\u2029", r) {
				lines++
			}
		}
		for _, finding := range findings {
			assert.True(t, finding.Line >= 1 && finding.Line <= lines, "%s, the file has %d lines", finding, lines)
			assert.NotEmpty(t, finding.Fix, finding.Rule)
			assert.NotEmpty(t, finding.Problem)
		}
	})
}

// FuzzTemplate: what package marketapp writes is read as what was meant.
func FuzzTemplate(f *testing.F) {
	f.Add("A", "1", "V", "X", `say "hi"`, "Y")
	f.Add("A_1", "two\nlines # no comment", "B", "X", `\"`, "X2")
	f.Add("a", `=[],"`, "b", "c", "", "d")
	f.Fuzz(func(t *testing.T, name, value, vector, member, first, second string) {
		template := app.VMTemplate{
			Attributes: map[string]string{name: value},
			Vectors:    map[string][]map[string]string{vector: {{member: first, "Z": value}, {member: second}}},
		}
		if template.Check() != nil {
			return
		}
		attributes, _, err := parseTemplate([]byte(template.Text()))
		require.NoError(t, err)
		require.Len(t, attributes, 3)
		assert.Equal(t, value, attributes[0].value)
		read := []string{attributes[1].get(upper(member)), attributes[2].get(upper(member))}
		if upper(member) == "Z" {
			return
		}
		assert.Equal(t, []string{first, second}, read)
		assert.Equal(t, value, attributes[1].get("Z"))
	})
}

func upper(name string) string { return string(bytes.ToUpper([]byte(name))) }
