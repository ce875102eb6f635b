package secret

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASecretIsMadeOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		keep func(Stored) (string, string, error)
		form string
	}{
		"password": {Password, `^[A-Za-z0-9]{16}$`},
		"key":      {Key, `^[0-9a-f]{64}$`},
	} {
		t.Run(name, func(t *testing.T) {
			stored := Stored{Path: filepath.Join(t.TempDir(), "secret")}
			made, warning, err := tt.keep(stored)
			require.NoError(t, err)
			assert.Empty(t, warning)
			assert.Regexp(t, tt.form, made)
			another, _, err := tt.keep(stored)
			require.NoError(t, err)
			assert.NotEqual(t, made, another, "nothing was stored yet")

			require.NoError(t, os.WriteFile(stored.Path, Content(made), 0o600))
			got, warning, err := tt.keep(stored)
			require.NoError(t, err)
			assert.Empty(t, warning)
			assert.Equal(t, made, got)
		})
	}
}

func TestALostOrDamagedSecretIsNotReplacedSilently(t *testing.T) {
	const good, other = "GeneratedOnce123", "AnotherOne123456"
	absent := func(string) {}
	holds := func(content string) func(string) {
		return func(path string) { _ = os.WriteFile(path, []byte(content), 0o600) }
	}
	for name, tt := range map[string]struct {
		damage  func(path string)
		inUse   string
		want    string // "" is a new one
		warning string
	}{
		"lost":                       {absent, good, good, "is lost; it was restored"},
		"empty":                      {holds(""), good, good, "is damaged; it was restored"},
		"half of it":                 {holds(good[:8]), good, good, "is damaged; it was restored"},
		"binary":                     {holds("\x00\x00\xff\xff\x00\x00\xff\xff\x00\x00\xff\xff\x00\x00\xff\xff\n"), good, good, "is damaged; it was restored"},
		"twice":                      {holds(good + "\n" + good + "\n"), good, good, "is damaged; it was restored"},
		"damaged, and no other copy": {holds(good[:8]), "", "", "is damaged; a new one was made"},
		"whole":                      {holds(good + "\n"), good, good, ""},
		"without a line end":         {holds(good), good, good, ""},
		"newer than the one in use":  {holds(other + "\n"), good, other, ""},
		"of an operator":             {holds("an operator's\n"), "an operator's", "", "is damaged; a new one was made"},
		"lost, and no other copy":    {absent, "", "", "is lost; a new one was made"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "password")
			tt.damage(path)
			got, warning, err := Password(Stored{Path: path, InUse: tt.inUse, Expected: true})
			require.NoError(t, err)
			if tt.want == "" {
				assert.Regexp(t, password.form, got)
			} else {
				assert.Equal(t, tt.want, got)
			}
			assert.Equal(t, tt.warning != "", warning != "")
			assert.Contains(t, warning, tt.warning)
			assert.NotContains(t, warning, good[:8], "a warning is for everybody")
		})
	}
	_, _, err := Password(Stored{Path: t.TempDir(), InUse: good})
	assert.ErrorContains(t, err, "read the stored secret", "what cannot be read may be whole")
	path := filepath.Join(t.TempDir(), "endless")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("x", maxSize+1)), 0o600))
	_, _, err = Password(Stored{Path: path})
	assert.ErrorContains(t, err, "larger than")
}

func TestAWithdrawnPasswordIsNeverUsedAgain(t *testing.T) {
	const leaked = "LeakedByAnybody1"
	for name, content := range map[string]string{"stored": leaked + "\n", "damaged": leaked[:8], "empty": ""} {
		path := filepath.Join(t.TempDir(), "password")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		got, _, err := Password(Stored{Path: path, InUse: leaked, Withdrawn: []string{"", leaked}})
		require.NoError(t, err)
		assert.Regexp(t, password.form, got, name)
		assert.NotEqual(t, leaked, got, name)
	}
	path := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(path, Content("GeneratedOnce123"), 0o600))
	got, warning, err := Password(Stored{Path: path, InUse: "GeneratedOnce123", Withdrawn: []string{leaked}})
	require.NoError(t, err)
	assert.Equal(t, "GeneratedOnce123", got, "the run that generated it was killed later")
	assert.Empty(t, warning)
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
