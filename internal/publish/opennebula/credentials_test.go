package opennebula

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadAuthFile(t *testing.T) {
	write := func(content string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), "one_auth")
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
		return path
	}
	for name, content := range map[string]string{
		"as the installer writes it": "publisher:pass:word",
		"with a line break":          "publisher:pass:word\n",
		"of Windows":                 "publisher:pass:word\r\nmore",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadAuthFile(write(content, 0o600))
			require.NoError(t, err)
			assert.Equal(t, Credentials{"publisher", "pass:word"}, got)
		})
	}
	for name, test := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"no colon":    {"hush", 0o600, `must be "user:password"`},
		"no user":     {":hush", 0o600, `must be "user:password"`},
		"no password": {"publisher:", 0o600, `must be "user:password"`},
		"empty":       {"", 0o600, `must be "user:password"`},
		"for all":     {"publisher:hush", 0o644, "others may read"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(test.content, test.mode)
			_, err := ReadAuthFile(path)
			require.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, path)
			assert.NotContains(t, err.Error(), "hush")
		})
	}
	_, err := ReadAuthFile("/nonexistent/one_auth")
	assert.ErrorIs(t, err, os.ErrNotExist)
}
