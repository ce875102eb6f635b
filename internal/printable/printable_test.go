package printable

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"plain, grüße \U0001F600\n\tindented": "plain, grüße \U0001F600\n\tindented",
		"\x1b[31mred\x1b[0m":                  " [31mred [0m",
		"\u009b31mC1":                         " 31mC1",
		"over\rwritten\b\a\x00\x7f":           "over written    ",
		"\u202eright to left\u200b":           " right to left ",
		"\xff":                                "\uFFFD",
	} {
		assert.Equal(t, want, Text(text), "%q", text)
	}
}
