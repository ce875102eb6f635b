// Package printable removes from text that others wrote what a terminal would obey and what nobody
// else may see.
package printable

import (
	"regexp"
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

// Masked returns text with *** in place of user and password of each URL.
func Masked(text string) string { return credentials.ReplaceAllString(text, "://***@") }

// credentials matches up to the last @, because a password may contain a slash that should have
// been escaped.
var credentials = regexp.MustCompile(`://[^\s"']*@`)
