// Package shell formats text for shells, in scripts and in commands that people paste.
package shell

import "strings"

// Quote turns any text into one shell word, in a form that every login shell understands.
func Quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
