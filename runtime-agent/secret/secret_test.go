package secret

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	made, err := Password("", path)
	require.NoError(t, err)
	assert.Regexp(t, `^[A-Za-z0-9]{16}$`, made)
	again, err := Password("", path)
	require.NoError(t, err)
	assert.NotEqual(t, made, again, "nothing was stored yet")

	require.NoError(t, os.WriteFile(path, Content("kept one"), 0o600))
	got, err := Password("", path)
	require.NoError(t, err)
	assert.Equal(t, "kept one", got)
	got, err = Password("wanted", path)
	require.NoError(t, err)
	assert.Equal(t, "wanted", got)

	_, err = Password("", filepath.Dir(path))
	assert.ErrorContains(t, err, "read the stored secret", "a password that cannot be read is not replaced")
}

func TestEveryCharacterIsEquallyLikely(t *testing.T) {
	chances := map[byte]int{}
	for b := range 256 {
		if c, ok := character(byte(b)); ok {
			chances[c]++
		}
	}
	for _, c := range []byte(alphabet) {
		assert.Equal(t, 256/len(alphabet), chances[c], "%q", c)
	}
	assert.Len(t, chances, len(alphabet))
}

func TestEveryCharacterOccurs(t *testing.T) {
	seen := map[rune]bool{}
	for range 500 { // the probability of missing one of 62 in 8000 draws is below 1e-50
		for _, r := range newPassword() {
			seen[r] = true
		}
	}
	assert.Len(t, seen, len(alphabet))
}

func TestKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	made, err := Key(path)
	require.NoError(t, err)
	assert.Regexp(t, `^[0-9a-f]{64}$`, made)
	require.NoError(t, os.WriteFile(path, Content(made), 0o600))
	got, err := Key(path)
	require.NoError(t, err)
	assert.Equal(t, made, got)
}
