package provisioner

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// backendDirectory creates a directory like those of LocalAI's backends.
func backendDirectory(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "cpu-llama-cpp")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "lib"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run.sh"), []byte("#!/bin/bash\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lib", "libggml.so.0"), []byte("elf"), 0o600))
	require.NoError(t, os.Symlink("libggml.so.0", filepath.Join(dir, "lib", "libggml.so")))
	return dir
}

func TestPackDirectory(t *testing.T) {
	dir := backendDirectory(t)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	for _, source := range []string{dir, link} {
		var packed bytes.Buffer
		require.NoError(t, packDirectory(t.Context(), source, &packed))
		names := map[string]string{}
		for archive := tar.NewReader(&packed); ; {
			header, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			content, err := io.ReadAll(archive)
			require.NoError(t, err)
			names[header.Name] = string(content) + header.Linkname
			assert.Equal(t, "root 0 0", header.Uname+" "+string('0'+rune(header.Uid))+" "+string('0'+rune(header.Gid)))
		}
		assert.Equal(t, map[string]string{
			"run.sh": "#!/bin/bash\n", "lib/": "", "lib/libggml.so.0": "elf", "lib/libggml.so": "libggml.so.0",
		}, names)
	}
}

func TestPackRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(dir string) error
		err   string
	}{
		"no run.sh":         {func(dir string) error { return os.Remove(filepath.Join(dir, "run.sh")) }, "not a backend directory: stat "},
		"an absolute link":  {func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "x")) }, "/x links to /etc/passwd, out of the directory"},
		"a link out of it":  {func(dir string) error { return os.Symlink("../../x", filepath.Join(dir, "lib", "x")) }, "/lib/x links to ../../x, out of the directory"},
		"a pipe":            {func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600) }, "/pipe is neither a file, a directory nor a link"},
		"it does not exist": {os.RemoveAll, "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := backendDirectory(t)
			require.NoError(t, tt.spoil(dir))
			assert.ErrorContains(t, packDirectory(t.Context(), dir, io.Discard), tt.err)
		})
	}
}
