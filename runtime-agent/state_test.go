package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
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

// Who asks which appliance this is gets the same answer everywhere.
func TestWhatTheImageContainsIsSaid(t *testing.T) {
	v := newVM(t)
	v.put(appliance.BakedFile, `{"model_id": "devstral-small-2", "model_name": "Devstral Small 2 24B", "quantization": "Q4_K_M", "localai_version": "v4.9.0", "appliance_version": "1.1.0"}`)
	const said = "appliance:   1.1.0\nlocalai:     v4.9.0\nweights:     Devstral Small 2 24B, Q4_K_M\n"
	code, stdout, stderr := v.run("version")
	require.Zero(t, code, stderr)
	assert.Equal(t, "agent:       "+appliance.Version+"\n"+said, stdout)

	v.configure(nil)
	_, stdout, _ = v.run("status")
	assert.Contains(t, stdout, said)
	_, stdout, _ = v.run("report")
	assert.Contains(t, stdout, "appliance = 1.1.0\nlocalai = v4.9.0\nweights = Devstral Small 2 24B, Q4_K_M\n")
	assert.Contains(t, v.read(appliance.GatewayConfigFile), `"appliance": "slm-copilot/1.1.0 LocalAI/v4.9.0 devstral-small-2/Q4_K_M"`)

	require.NoError(t, os.Remove(filepath.Join(v.root, appliance.BakedFile)))
	code, stdout, _ = v.run("version")
	require.Zero(t, code)
	assert.Equal(t, "agent:       "+appliance.Version+"\n", stdout, "outside of an image")
}
