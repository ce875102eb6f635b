// Package printable removes what a terminal would obey from text that others wrote.
package printable

import (
	"strings"
	"unicode"
)

// Text returns text with a space in place of each character that is not printed, such as those
// of escape sequences. Line ends and tabs stay. Bytes that are not UTF-8 become U+FFFD.
func Text(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' || r == '\t' {
			return r
		}
		return ' '
	}, text)
}
