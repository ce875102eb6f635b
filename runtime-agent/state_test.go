package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// Whoever can open a lock can hold it, and so keep the appliance from being configured.
func TestOnlyRootCanOpenTheLocks(t *testing.T) {
	root := t.TempDir()
	release, err := state{status.Store{Root: root}}.lock(t.Context())
	require.NoError(t, err)
	require.NoError(t, release())
	release, err = waitForLock(t.Context(), filepath.Join(root, obtainLock))
	require.NoError(t, err)
	require.NoError(t, release())
	for _, path := range []string{lockDirectory, obtainLock} {
		info, err := os.Stat(filepath.Join(root, path))
		require.NoError(t, err, "it stays for the next run")
		assert.Equal(t, fs.ModeDir|0o700, info.Mode(), path)
	}
}
