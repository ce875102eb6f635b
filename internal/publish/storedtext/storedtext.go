// Package storedtext checks whether OpenNebula stores a text unchanged.
package storedtext

import (
	"errors"
	"fmt"
	"strings"
)

// Check returns an error if oned 6.10 to 7.4 would not store value unchanged. "]]>" ends the
// CDATA section it is stored in; a character above U+FFFF makes every later answer about the
// object, and about all others of its kind, fail for everyone; a carriage return or another
// control character is stored as something else. Newlines and tabs are kept.
func Check(value string) error {
	if strings.Contains(value, "]]>") {
		return errors.New(`must not hold "]]>"`)
	}
	for _, r := range value {
		switch {
		case r > 0xFFFF:
			return errors.New("must not hold characters above U+FFFF such as emoji")
		case r == '\uFFFD':
			return errors.New("must be valid UTF-8")
		case r < ' ' && r != '\n' && r != '\t' || r == 0x7F:
			return fmt.Errorf("must not hold the control character %U", r)
		}
	}
	return nil
}

// CheckQuoted is Check for a quoted value, as in a VM template in plain syntax: a trailing
// backslash would escape the closing quote.
func CheckQuoted(value string) error {
	if strings.HasSuffix(value, `\`) {
		return errors.New("must not end in a backslash")
	}
	return Check(value)
}
