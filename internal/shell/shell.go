// Package shell writes what people paste into a shell.
package shell

import "strings"

// Quote makes one word of a text, whatever it holds.
func Quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
