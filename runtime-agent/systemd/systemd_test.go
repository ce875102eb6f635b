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
func TestSystemctlArguments(t *testing.T) {
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	script := "#!/bin/sh\necho \"$*\" >> " + seen + "\n[ \"$3\" != broken.service ] || { echo 'Unit is broken.' >&2; exit 5; }\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))

	var units Units
	require.NoError(t, units.Reload(t.Context()))
	require.NoError(t, units.Restart(t.Context(), "a.service"))
	require.NoError(t, units.TryRestart(t.Context(), "a.service"))
	require.NoError(t, units.TryReload(t.Context(), "b.service"))
	require.NoError(t, units.Signal(t.Context(), "b.service", "USR1"))
	assert.EqualError(t, units.TryRestart(t.Context(), "broken.service"),
		"systemctl try-restart --no-block broken.service: exit status 5: Unit is broken.")
	got, err := os.ReadFile(seen)
	require.NoError(t, err)
	assert.Equal(t, `daemon-reload
restart --no-block a.service
try-restart --no-block a.service
try-reload-or-restart --no-block b.service
kill --signal=USR1 b.service
try-restart --no-block broken.service
`, string(got))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, units.Reload(ended), context.Canceled)
}

func TestState(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	tests := map[string]struct {
		says string
		want State
		err  string
	}{
		"running":     {"ActiveState=active\nMainPID=4711", State{Active: true, MainPID: 4711}, ""},
		"ending":      {"MainPID=4711\nActiveState=deactivating", State{MainPID: 4711}, ""},
		"unknown":     {"ActiveState=inactive\nMainPID=0", State{}, ""},
		"not a state": {"MainPID=many", State{}, `systemctl show a.service: MainPID is "many", not a number`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			script := "#!/bin/sh\n[ \"$*\" = 'show --property=ActiveState,MainPID a.service' ] || exit 1\nprintf '" + tt.says + "\n'\n"
			require.NoError(t, os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o755))
			got, err := Units{}.State(t.Context(), "a.service")
			assert.Equal(t, tt.want, got)
			if tt.err != "" {
				assert.EqualError(t, err, tt.err)
			} else {
				assert.NoError(t, err)
			}
		})
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\nexit 1\n"), 0o755))
	_, err := Units{}.State(t.Context(), "a.service")
	assert.ErrorContains(t, err, "exit status 1")
}
