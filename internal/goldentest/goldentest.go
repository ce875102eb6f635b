// Package goldentest compares the output of a test with golden files, and rewrites them when
// the test is run with -update.
package goldentest

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files, and the tables in the documentation")

// Equal compares got with the file at path. message is added to a failure.
func Equal[Text ~string | ~[]byte](t testing.TB, path string, got Text, message ...any) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "with -update the test writes it")
	assert.Equal(t, string(want), string(got), message...)
}

// Block compares got with the part of the document at path between "<!-- name: ... -->" and
// "<!-- end of name -->", each on a line of its own.
func Block(t testing.TB, path, name, got string) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	quoted := regexp.QuoteMeta(name)
	block := regexp.MustCompile(`(?s)(<!-- ` + quoted + `:[^\n]*-->\n).*(<!-- end of ` + quoted + ` -->)`)
	require.Regexp(t, block, string(content))
	want := block.ReplaceAllString(string(content), "${1}"+strings.ReplaceAll(got, "$", "$$")+"${2}")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	assert.Equal(t, want, string(content), "run the test with -update")
}
