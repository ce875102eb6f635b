package vmcontext

import (
	"io"
	"path/filepath"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
)

const (
	// environment is one-context's copy of the context as shell text, in which it also
	// stores the token of the medium. It is never sourced: its values are not escaped.
	environment = "/run/one-context/one_env"
	tokenStart  = `export TOKENTXT="`
	// maxToken bounds what is read of a file that should be short.
	maxToken = 64 << 10
)

// findToken returns the OneGate token that belongs to a context, or "" if there is none or it
// cannot be read: nothing but the report to OneGate depends on it. dir contains the context
// file.
func findToken(root, dir string, values map[string]string) string {
	for _, token := range []string{
		values[appliance.VarOneGateToken],
		readStart(filepath.Join(dir, appliance.TokenFile)),
		tokenIn(readStart(filepath.Join(root, environment))),
	} {
		if token = strings.TrimSpace(token); token != "" {
			return token
		}
	}
	return ""
}

// tokenIn finds the token in the text of one_env. The real one is above all values of the
// context, which may contain such a line, too.
func tokenIn(text string) string {
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, tokenStart); found {
			token, _, _ := strings.Cut(rest, `"`)
			return token
		}
	}
	return ""
}

// readStart returns nothing for a file that cannot be read.
func readStart(path string) string {
	file, err := guardedfile.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	text, _ := io.ReadAll(io.LimitReader(file, maxToken))
	return string(text)
}
