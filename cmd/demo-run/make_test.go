package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// makeDemoRun runs `make demo-run` in a fake checkout, where the stub for Go creates a
// program that prints the image it would boot.
func makeDemoRun(t *testing.T, checkout string) (string, error) {
	t.Helper()
	makefile, err := filepath.Abs("../../GNUmakefile")
	require.NoError(t, err)
	stub(t, filepath.Join(checkout, ".tools/bin/go"), `mkdir -p .cache/build; printf '#!/bin/sh\necho "boots $*"\n' >.cache/build/demo-run; chmod +x .cache/build/demo-run`)
	command := exec.CommandContext(t.Context(), "make", "--no-print-directory", "-f", makefile, "demo-run")
	command.Dir = checkout
	said, err := command.CombinedOutput()
	return string(said), err
}

func TestWithoutAnImageNothingIsBuilt(t *testing.T) {
	checkout := t.TempDir()
	said, err := makeDemoRun(t, checkout)
	require.Error(t, err)
	assert.Contains(t, said, "make demo-run: no appliance in dist/demo: run `make demo` first\n")
	assert.NoDirExists(t, filepath.Join(checkout, ".cache"))
}

func TestTheNewestImageIsBooted(t *testing.T) {
	checkout := t.TempDir()
	dist := filepath.Join(checkout, "dist/demo")
	require.NoError(t, os.MkdirAll(dist, 0o755))
	for name, age := range map[string]time.Duration{"1.0.0": time.Hour, "1.1.0": time.Minute, "2.0.0": 2 * time.Hour} {
		image := filepath.Join(dist, "slm-copilot-"+name+"-x86_64.qcow2")
		require.NoError(t, os.WriteFile(image, nil, 0o600))
		require.NoError(t, os.Chtimes(image, time.Time{}, time.Now().Add(-age)))
	}
	said, err := makeDemoRun(t, checkout)
	require.NoError(t, err, said)
	assert.Equal(t, "boots dist/demo/slm-copilot-1.1.0-x86_64.qcow2\n", said)
}
