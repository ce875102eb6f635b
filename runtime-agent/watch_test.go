package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// With another root it would watch the host's own engine.
func TestWatchIsForTheMachineItself(t *testing.T) {
	v := newVM(t)
	code, _, out := v.run("watch")
	assert.Equal(t, 2, code)
	assert.Contains(t, out, "watch works on the machine itself, not on --root "+v.root)
}

func TestCheckModel(t *testing.T) {
	v := newVM(t)
	code, _, out := v.run("check-model")
	assert.Equal(t, 0, code, out)
	assert.Empty(t, out, "only faults are logged")
	require.NoError(t, os.Remove(filepath.Join(v.root, modelFile)))
	code, _, out = v.run("check-model")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "slm-copilot: the engine is not started: the image is damaged, its model ")
}

func TestNoticeKeepsTheStage(t *testing.T) {
	v := newVM(t)
	a := newApp(v.root)
	require.NoError(t, a.state().Save(status.Status{Stage: appliance.BootstrapSuccess, Model: "m"}))
	require.NoError(t, notice(t.Context(), a.state(), errors.New("it ended 5 times")))
	got, err := a.state().Load()
	require.NoError(t, err)
	assert.True(t, got.Ready())
	assert.Equal(t, "m", got.Model)
	assert.Regexp(t, `^it ended 5 times \(\d{4}-\d\d-\d\d \d\d:\d\d UTC\)$`, got.LastError)
}
