package remote

import (
	"maps"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/shell"
)

// Env maps the names of shell variables to values.
type Env map[string]string

// command returns the command for the machine's login shell. The script is an argument, not
// standard input, so that no program in it can consume the rest of it. The locale is set to
// English, because our messages quote the output.
func (s Script) command() string {
	words := []string{"LC_ALL=C"}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		words = append(words, name+"="+shell.Quote(s.Env[name]))
	}
	words = append(words, "sh", "-euc", shell.Quote(s.Text))
	return strings.Join(words, " ")
}
