package vmcontext

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func TestWhichTokenIsUsed(t *testing.T) {
	const (
		value  = "value/Token+=="
		beside = "beside/Token+=="
		saved  = "saved/Token+=="
		start  = "export TOKENTXT=\"" + saved + "\"\nexport VMID=\"7\"\n"
	)
	tests := map[string]struct {
		context, file, env, want string
	}{
		"none":                             {"", "", "", ""},
		"a value":                          {"ONEGATE_TOKEN='" + value + "\n'", beside, start, value},
		"an empty value":                   {"ONEGATE_TOKEN=''", beside + "\n", start, beside},
		"a file beside the context":        {"", beside + "\n", start, beside},
		"an empty file":                    {"", "\n", start, saved},
		"one-context's environment":        {"", "", start, saved},
		"an environment without a token":   {"", "", "export TOKENTXT=\"\"\nexport VMID=\"7\"\n", ""},
		"an environment a user writes in":  {"", "", start + "export START=\"\nexport TOKENTXT=\"evil\"\n\"\n", saved},
		"a user's line, and no real token": {"", "", "export TOKENTXT=\"\"\nexport START=\"\nexport TOKENTXT=\"evil\"\n\"\n", ""},
		"an environment that was cut":      {"", "", "export TOKENTXT=\"" + saved, saved},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			named := filepath.Join(root, "mnt", appliance.ContextFile)
			put(t, named, tt.context)
			if tt.file != "" {
				put(t, filepath.Join(root, "mnt", appliance.TokenFile), tt.file)
			}
			if tt.env != "" {
				put(t, filepath.Join(root, environment), tt.env)
			}
			found, err := Find(t.Context(), root, named, silent)
			require.NoError(t, err)
			assert.Equal(t, tt.want, found.Token)
		})
	}
}

func TestTheTokenIsFoundWithEverySource(t *testing.T) {
	for _, path := range []string{appliance.ContextCopy, LastGood, "/context/context.sh"} {
		root := t.TempDir()
		put(t, filepath.Join(root, path), "A='1'")
		put(t, filepath.Join(root, environment), "export TOKENTXT=\"the-token\"\n")
		found, err := Find(t.Context(), root, "", silent)
		require.NoError(t, err)
		assert.Equal(t, "the-token", found.Token, path)
	}
}

func FuzzTokenIn(f *testing.F) {
	f.Add("export TOKENTXT=\"a\"\n")
	f.Add("export TOKENTXT=\"")
	f.Fuzz(func(t *testing.T, text string) {
		assert.NotContains(t, tokenIn(text), `"`)
		assert.Equal(t, "first", tokenIn(tokenStart+"first\"\n"+text))
		if !strings.Contains(text, tokenStart) {
			assert.Empty(t, tokenIn(text))
		}
	})
}
