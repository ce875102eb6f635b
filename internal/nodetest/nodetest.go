// Package nodetest installs programs of Node.js for tests.
package nodetest

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Install copies a directory that has a package.json and its lock, installs what they name, and returns the copy. No
// script of a package runs.
func Install(t testing.TB, source string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(source)))
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	output, err := install.CombinedOutput()
	require.NoError(t, err, "node and npm are needed: run make setup LEVEL=test: %s", output)
	return dir
}
