package fieldcheck

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRules(t *testing.T) {
	digits := Matches(regexp.MustCompile(`^\d+$`), `digits such as "40"`)
	for name, test := range map[string]struct {
		rule  Rule
		value string
		want  string
	}{
		"set":                    {Set, "x", ""},
		"not set":                {Set, "", "must be set"},
		"spaces":                 {Set, " \n", "must be set"},
		"a choice":               {OneOf("a", "b"), "b", ""},
		"no choice":              {OneOf("a", "b"), "c", `must be one of a, b, got "c"`},
		"a match":                {digits, "40", ""},
		"no match":               {digits, "forty", `must be digits such as "40", got "forty"`},
		"an empty text":          {digits, "", `must be set to digits such as "40"`},
		"a duration":             {Duration, "1h30m", ""},
		"no duration":            {Duration, "soon", `must be a duration such as "15m", got "soon"`},
		"no time at all":         {Duration, "0s", `must be a duration such as "15m", got "0s"`},
		"a negative duration":    {Duration, "-1m", `must be a duration such as "15m", got "-1m"`},
		"a path":                 {PathOrURL, "dir/model.gguf", ""},
		"an http URL":            {PathOrURL, "http://example.org/m", ""},
		"an https URL":           {PathOrURL, "https://u:geheim@example.org/m", ""},
		"another scheme":         {PathOrURL, "ftp://u:geheim@example.org/m", "must be a path or an http(s) URL"},
		"no host":                {PathOrURL, "https:///m", "must be a path or an http(s) URL"},
		"not a URL, with secret": {PathOrURL, "https://u:geheim@example.org/%zz", "must be a path or an http(s) URL"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.rule(test.value)
			if test.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.EqualError(t, err, test.want)
		})
	}
}
