package goldentest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// probe is a test that may fail.
type probe struct {
	testing.TB
	failed bool
}

func (p *probe) Helper()               {}
func (p *probe) Errorf(string, ...any) { p.failed = true }
func (p *probe) FailNow()              { panic(p) }

// fails says whether a comparison fails its test.
func fails(t *testing.T, compare func(t testing.TB)) bool {
	t.Helper()
	p := &probe{TB: t}
	func() {
		defer func() { _ = recover() }()
		compare(p)
	}()
	return p.failed
}

func updating(t *testing.T) {
	t.Helper()
	*update = true
	t.Cleanup(func() { *update = false })
}

func TestEqual(t *testing.T) {
	*update = false
	path := filepath.Join(t.TempDir(), "testdata", "a.txt")
	compare := func(text string) func(testing.TB) {
		return func(t testing.TB) { Equal(t, path, text) }
	}
	assert.True(t, fails(t, compare("one")), "there is no file")
	assert.NoFileExists(t, path)

	updating(t)
	assert.False(t, fails(t, compare("one")))
	*update = false
	assert.False(t, fails(t, compare("one")))
	assert.True(t, fails(t, compare("two")))
	assert.False(t, fails(t, func(t testing.TB) { Equal(t, path, []byte("one")) }))
}

func TestBlock(t *testing.T) {
	*update = false
	path := filepath.Join(t.TempDir(), "a.md")
	before := "# A\n<!-- table: written by a test -->\nold\n<!-- end of table -->\nend\n"
	require.NoError(t, os.WriteFile(path, []byte(before), 0o600))
	compare := func(name, text string) func(testing.TB) {
		return func(t testing.TB) { Block(t, path, name, text) }
	}
	assert.False(t, fails(t, compare("table", "old\n")))
	assert.True(t, fails(t, compare("table", "new $1\n")))
	assert.True(t, fails(t, compare("another", "old\n")), "there is no such block")

	updating(t)
	assert.False(t, fails(t, compare("table", "new $1\n")))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "# A\n<!-- table: written by a test -->\nnew $1\n<!-- end of table -->\nend\n", string(content))
}
