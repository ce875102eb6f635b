package contextiso

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/onecontext"
)

func TestMain(m *testing.M) {
	if err := Available(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: run make setup\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// extract unpacks an image with the real program.
func extract(t *testing.T, iso string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "extracted")
	out, err := exec.Command(Program, "-osirrox", "on", "-indev", iso, "-extract", "/", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

func TestEveryByteArrives(t *testing.T) {
	values := map[string]string{
		"EMPTY":                    "",
		"SSH_PUBLIC_KEY":           "ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n",
		"ONEAPP_COPILOT_PASSWORD":  `p"a'$\s{w}#1` + "`id`",
		"LOOKS_LIKE_CODE":          "x\nNAME='other'\n# not a comment",
		"NOT_UTF8":                 "\xff\xfe\x01\r\t",
		"ONEAPP_COPILOT_TRAILING_": `a\`,
	}
	iso := filepath.Join(t.TempDir(), "context.iso")
	require.NoError(t, Write(t.Context(), iso, values, map[string]string{"token.txt": "0123\n", "Init Script.sh": "#!/bin/sh\n"}))

	dir := extract(t, iso)
	file, err := os.Open(filepath.Join(dir, "context.sh"))
	require.NoError(t, err)
	defer file.Close()
	got, err := onecontext.Parse(file)
	require.NoError(t, err)
	assert.Equal(t, values, got)
	for name, want := range map[string]string{"token.txt": "0123\n", "Init Script.sh": "#!/bin/sh\n"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, want, string(text))
	}
}

func TestTheImageIsLabelledAndPrivate(t *testing.T) {
	iso := filepath.Join(t.TempDir(), "context.iso")
	require.NoError(t, Write(t.Context(), iso, nil, nil))
	status, err := os.Stat(iso)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), status.Mode().Perm())
	content, err := os.ReadFile(iso)
	require.NoError(t, err)
	// ECMA-119: the primary volume descriptor is sector 16, the volume identifier is
	// 32 bytes at its offset 40.
	const descriptor = 16 * 2048
	require.Greater(t, len(content), descriptor+72)
	assert.Equal(t, "\x01CD001", string(content[descriptor:descriptor+6]))
	assert.Equal(t, "CONTEXT", strings.TrimRight(string(content[descriptor+40:descriptor+72]), " "))
	assertOnly(t, filepath.Dir(iso), "context.iso")
}

func TestAFailureLeavesNothing(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		ctx   context.Context
		path  string
		files map[string]string
		want  string
	}{
		"cancelled":        {cancelled, "", nil, "context canceled"},
		"name with a path": {t.Context(), "", map[string]string{"../token.txt": "x"}, `"../token.txt" is not a plain file name`},
		"no name":          {t.Context(), "", map[string]string{"": "x"}, `"" is not a plain file name`},
		"parent":           {t.Context(), "", map[string]string{"..": "x"}, `".." is not a plain file name`},
		"program missing":  {t.Context(), "/nowhere", nil, "xorriso is not installed: install the package xorriso"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.path != "" {
				t.Setenv("PATH", test.path)
			}
			dir := t.TempDir()
			err := Write(test.ctx, filepath.Join(dir, "context.iso"), map[string]string{"SECRET": "hunter22"}, test.files)
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "hunter22")
			assertOnly(t, dir)
		})
	}
	require.ErrorContains(t, Write(t.Context(), filepath.Join(t.TempDir(), "none", "context.iso"), nil, nil), "no such file or directory")
}

func assertOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	assert.Equal(t, names, got)
}
