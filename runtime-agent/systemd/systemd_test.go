package systemd

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A script stands in for systemctl: a test must not touch the units of its host.
func TestWhatSystemctlIsAsked(t *testing.T) {
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	script := "#!/bin/sh\necho \"$*\" >> " + seen + "\n[ \"$3\" != broken.service ] || { echo 'Unit is broken.' >&2; exit 5; }\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))

	var units Units
	require.NoError(t, units.Reload(t.Context()))
	require.NoError(t, units.TryRestart(t.Context(), "a.service"))
	require.NoError(t, units.TryReload(t.Context(), "b.service"))
	assert.EqualError(t, units.TryRestart(t.Context(), "broken.service"),
		"systemctl try-restart --no-block broken.service: exit status 5: Unit is broken.")
	got, err := os.ReadFile(seen)
	require.NoError(t, err)
	assert.Equal(t, `daemon-reload
try-restart --no-block a.service
try-reload-or-restart --no-block b.service
try-restart --no-block broken.service
`, string(got))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, units.Reload(ended), context.Canceled)
}
