// Package shell writes what a shell reads, of a machine or of a person who pastes it.
package shell

import "strings"

// Quote makes one word of a text, whatever it holds, for any shell that a login may have.
func Quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
