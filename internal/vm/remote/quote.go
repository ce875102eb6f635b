package remote

import (
	"maps"
	"slices"
	"strings"
)

// Env maps the names of shell variables to values.
type Env map[string]string

// Quote makes text one word of a POSIX shell.
func Quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// command is what the login shell of the machine gets. The script is an argument, not
// standard input, so that no program in it can eat the rest of it. Messages are asked
// for in English, because they are quoted in ours.
func (s Script) command() string {
	words := []string{"LC_ALL=C"}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		words = append(words, name+"="+Quote(s.Env[name]))
	}
	words = append(words, "sh", "-euc", Quote(s.Text))
	return strings.Join(words, " ")
}
