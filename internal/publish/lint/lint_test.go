package lint

import (
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

func lintFile(t *testing.T, path string) []Finding {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	findings, err := Lint(path, content)
	require.NoError(t, err)
	return findings
}

func files(t *testing.T, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}

func TestGoodFilesHaveNoFindings(t *testing.T) {
	for _, path := range files(t, "good") {
		assert.Empty(t, lintFile(t, path), path)
	}
}

// ruleOf is the rule a bad file breaks: the longest that its name begins with.
func ruleOf(path string) string {
	var rule string
	for candidate := range fixes {
		if strings.HasPrefix(filepath.Base(path), candidate) && len(candidate) > len(rule) {
			rule = candidate
		}
	}
	return rule
}

// The golden file shows every finding in every bad file. Each breaks the rule its name
// begins with; what it breaks besides follows from that.
func TestBadFiles(t *testing.T) {
	const golden = "testdata/bad.txt"
	var found strings.Builder
	covered := map[string]bool{}
	for _, path := range files(t, "bad") {
		findings := lintFile(t, path)
		rule := ruleOf(path)
		assert.True(t, slices.ContainsFunc(findings, func(f Finding) bool { return f.Rule == rule }), "%s: %s is not found", path, rule)
		covered[rule] = true
		for _, f := range findings {
			assert.Equal(t, path, f.File)
			assert.Equal(t, fixes[f.Rule], f.Fix)
			fmt.Fprintf(&found, "%s:%d: %s: %s\n", filepath.Base(f.File), f.Line, f.Rule, f.Problem)
		}
	}
	for rule := range fixes {
		assert.True(t, covered[rule], "no bad file breaks %s", rule)
	}
	goldentest.Equal(t, golden, found.String())
}

// The defects with which an earlier appliance was published, in the order in which they were
// listed.
func TestTheElevenDefects(t *testing.T) {
	for i, defect := range []struct {
		rule  string
		files []string
	}{
		{ruleNIC, []string{"nic.yaml", "nic-template.txt"}},
		{ruleCapacity, []string{"capacity.yaml"}},
		{ruleContextLiteral, []string{"context-literal.yaml"}},
		{ruleInputFields, []string{"input-fields.yaml"}},
		{ruleReportReady, []string{"report-ready.yaml"}},
		{ruleStale, []string{"stale-time.yaml", "stale-address.yaml", "stale-checksum.json", "stale-list.json"}},
		{ruleMetadataShape, []string{"metadata-shape.yaml"}},
		{ruleSpelling, []string{"spelling.yaml", "spelling-metadata.yaml"}},
		{ruleOpenNebulaVersion, []string{"opennebula-version.yaml"}},
		{ruleFileName, []string{"file-name.yaml"}},
		{ruleInputName, []string{"input-name.yaml"}},
	} {
		for _, file := range defect.files {
			findings := lintFile(t, filepath.Join("testdata", "bad", file))
			assert.True(t, slices.ContainsFunc(findings, func(f Finding) bool { return f.Rule == defect.rule }), "defect %d: %s", i+1, file)
		}
	}
	findings := lintFile(t, filepath.Join("testdata", "bad", "placeholder.yaml"))
	assert.Len(t, findings, 3, "defect 6: an address and two checksums that were never filled in")
}

func TestDocumentationNamesEveryRule(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	require.NoError(t, err)
	var named []string
	for line := range strings.Lines(file.Doc.Text()) {
		if strings.HasPrefix(line, "\t") && line[1] != ' ' {
			named = append(named, strings.Fields(line)[0])
		}
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(fixes)), named)
}

// A literal where a password belongs is a secret, and a report of a linter is read by many.
func TestNoSecretIsShown(t *testing.T) {
	for _, file := range []string{"context-literal.yaml", "password-default.yaml"} {
		findings := lintFile(t, filepath.Join("testdata", "bad", file))
		require.NotEmpty(t, findings)
		assert.NotContains(t, Error(findings).Error(), "opensesame")
	}
}

func TestWhatIsNotLintedIsAnError(t *testing.T) {
	for name, content := range map[string]string{
		"README.md": "# SLM-Copilot\n", "context.yaml": "---\n:tests: {}\n", "tests.yaml": "---\n- a.rb\n", "a.json": "[]", "empty": "",
	} {
		_, err := Lint(name, []byte(content))
		assert.ErrorContains(t, err, "lint "+name+": it is none of what is linted", name)
	}
}

func TestMetadataIsKnownByItsName(t *testing.T) {
	findings, err := Lint("slm-copilot/metadata.yaml", []byte("---\n- a\n"))
	require.NoError(t, err)
	require.Len(t, findings, 1)
	assert.Equal(t, Finding{"slm-copilot/metadata.yaml", 2, ruleMetadataShape, "the file is not a mapping", fixes[ruleMetadataShape]}, findings[0])
}

// One name is that of the directory too.
func TestMetadataInADirectoryOfAnotherSpelling(t *testing.T) {
	content, err := os.ReadFile("testdata/good/metadata.yaml")
	require.NoError(t, err)
	for folder, want := range map[string]int{"slm-copilot": 0, "appliances/slm_copilot": 1, "SLM-Copilot": 1, "elsewhere": 0} {
		findings, err := Lint(folder+"/metadata.yaml", content)
		require.NoError(t, err)
		assert.Len(t, findings, want, folder)
	}
}

func TestDeepNestingIsRefused(t *testing.T) {
	deep := strings.Repeat("[", 1000) + strings.Repeat("]", 1000)
	for _, name := range []string{"a.json", "a.yaml"} {
		findings, err := Lint(name, []byte(`{"images": `+deep+"}\n"))
		require.NoError(t, err)
		require.Len(t, findings, 1)
		assert.Contains(t, findings[0].Problem, "nested more than 32 levels deep")
	}
}

func TestError(t *testing.T) {
	assert.NoError(t, Error(nil))
	err := Error([]Finding{{"a", 1, "nic", "it has one", "drop it"}, {"a", 2, "disk", "it has one", "drop it"}})
	assert.EqualError(t, err, "a:1: nic: it has one; drop it\na:2: disk: it has one; drop it")
}
