package storedtext

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheck(t *testing.T) {
	for value, keeps := range map[string]bool{
		"": true, "two\nlines": true, "a\tb": true, "✓ \u00a0$USER[X] `id`": true, `ends in \`: true,
		"a\r\n": false, "\x01": false, "\x7f": false, "\xff": false, "a ]]> b": false, "rocket \U0001F680": false,
	} {
		assert.Equal(t, keeps, Check(value) == nil, "%q", value)
	}
	assert.NoError(t, CheckQuoted(`a \ b`))
	assert.EqualError(t, CheckQuoted(`ends in \`), "must not end in a backslash")
	assert.EqualError(t, CheckQuoted("\x02"), "must not hold the control character U+0002")
}
