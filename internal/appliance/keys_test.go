package appliance

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNamedKeys(t *testing.T) {
	longest := strings.Repeat("k7Ge9wQz", 16)
	for value, want := range map[string][]NamedKey{
		"":                                       nil,
		"a:k7Ge9wQz2mXx":                         {{"a", "k7Ge9wQz2mXx"}},
		"ci : k7Ge9wQz2mXx ,\tbob:x9passwordq2w": {{"ci", "k7Ge9wQz2mXx"}, {"bob", "x9passwordq2w"}},
		"a:k7Ge:9wQz:2mXx":                       {{"a", "k7Ge:9wQz:2mXx"}},
		"0._-:" + longest:                        {{"0._-", longest}},
		strings.Repeat("n", 32) + ":" + longest:  {{strings.Repeat("n", 32), longest}},
	} {
		got, err := ParseSettings(map[string]string{VarKeys: value})
		if assert.NoError(t, err, value) {
			assert.Equal(t, want, got.Keys, value)
		}
	}
}

// One message has all mistakes of all entries, and no key, wherever it stands.
func TestMistakesOfNamedKeys(t *testing.T) {
	const password = "tractor-lemon-37"
	name := "the name must have 1 to 32 lower-case letters, digits, dots, underscores and hyphens, and begin with a letter or digit"
	for value, want := range map[string][]string{
		"k7Ge9wQz2mXx":     {"entry 1: must be a name, a colon and a key; a comma ends a key"},
		"a:k7Ge9wQz2mXx,":  {"entry 2: must be a name, a colon and a key; a comma ends a key"},
		"a:k7Ge9wQz,2mXx":  {"entry 1: the key must have 12 to 128 characters, has 8", "entry 2: must be a name, a colon and a key; a comma ends a key"},
		":k7Ge9wQz2mXx":    {"entry 1: " + name},
		"k7Ge9wQz2mXx:a":   {"entry 1: " + name, "entry 1: the key must have 12 to 128 characters, has 1"},
		"-a:k7Ge9wQz2mXx":  {"entry 1: " + name},
		"a b:k7Ge9wQz2mXx": {"entry 1: " + name},
		strings.Repeat("n", 33) + ":k7Ge9wQz2mXx": {"entry 1: " + name},
		"copilot:k7Ge9wQz2mXx":                    {"entry 1: the name must not be copilot, which goes with the password"},
		"a:k7Ge9wQz 2mXx":                         {"entry 1: the key must be of printable ASCII characters without blanks"},
		"a:Password1234":                          {"entry 1: the key must not be a common password, such as a well-known word with digits, a row of keys or a repetition: those are tried first"},
		"a:k7Ge9wQz2mXx,b:k7Ge9wQz2mXx":           {"entry 2: the key must not be that of entry 1"},
		"a:k7Ge9wQz2mXx,a:x9passwordq2w":          {"entry 2: the name must not be that of entry 1"},
		"a:" + password:                           {"entry 1: the key must not be that of " + VarPassword},
		"A:short,copilot:" + password + ",A:short": {
			"entry 1: " + name, "entry 1: the key must have 12 to 128 characters, has 5",
			"entry 2: the name must not be copilot, which goes with the password",
			"entry 3: " + name, "entry 3: the key must have 12 to 128 characters, has 5",
			"entry 3: the name must not be that of entry 1", "entry 3: the key must not be that of entry 1",
			"entry 2: the key must not be that of " + VarPassword,
		},
	} {
		_, err := ParseSettings(map[string]string{VarPassword: password, VarKeys: value})
		if assert.Error(t, err, value) {
			assert.Equal(t, VarKeys+": "+strings.Join(want, "\n"+VarKeys+": "), err.Error(), value)
		}
	}
}

func TestTheNumberOfNamedKeysIsBounded(t *testing.T) {
	list := func(n int) string {
		var entries []string
		for i := range n {
			entries = append(entries, fmt.Sprintf("n%d:k7Ge9wQz-%d", i, 1000+i))
		}
		return strings.Join(entries, ",")
	}
	got, err := ParseSettings(map[string]string{VarKeys: list(64)})
	require.NoError(t, err)
	assert.Len(t, got.Keys, 64)
	_, err = ParseSettings(map[string]string{VarKeys: list(65)})
	assert.EqualError(t, err, VarKeys+": must be at most 64 keys, has 65")
	_, err = ParseSettings(map[string]string{VarKeys: strings.Repeat(",", 1<<20)})
	assert.Less(t, len(err.Error()), 20_000)
}

// What passes stands in nginx's configuration and in numbers; what does not is not repeated.
func FuzzNamedKeys(f *testing.F) {
	f.Add("alice:k7Ge9wQz2mXx, ci:tractor-lemon-37")
	f.Add("k7Ge9wQz2mXx:alice,,a:,:a")
	f.Add("copilot:k7Ge9wQz2mXx\n,a:x\x00")
	message := regexp.MustCompile(`^(must be at most 64 keys, has \d+|entry \d+: (must be a name, a colon and a key; a comma ends a key|the name must (not be copilot, which [a-z ]+|not be that of entry \d+|have 1 to 32 [a-z, -]+)|` +
		`the key must (not be that of entry \d+|have 12 to 128 characters, has \d+|be of printable ASCII [a-z ]+|not be a common password, [a-z :,-]+)))$`)
	f.Fuzz(func(t *testing.T, value string) {
		keys, err := namedKeys(value)
		for _, mistake := range each(err) {
			assert.Regexp(t, message, mistake.Error())
		}
		if err != nil {
			return
		}
		names, texts := map[string]bool{}, map[string]bool{}
		for _, key := range keys {
			assert.Regexp(t, `^[a-z0-9][a-z0-9._-]{0,31}$`, key.Name)
			assert.NoError(t, checkPassword(key.Key))
			assert.NotContains(t, key.Key, ",")
			names[key.Name], texts[key.Key] = true, true
		}
		assert.Len(t, names, len(keys))
		assert.Len(t, texts, len(keys))
		assert.False(t, names[APIUser])
	})
}
