package hostprogram

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var differing = Package{Debian: "qemu-utils", Fedora: "qemu-img"}

func TestFind(t *testing.T) {
	_, err := Find("program-of-nobody", differing)
	require.EqualError(t, err, "program-of-nobody is not installed: install the package qemu-utils (Debian, Ubuntu) or qemu-img (Fedora)")
	_, err = Find("program-of-nobody", Package{"xorriso", "xorriso"})
	require.EqualError(t, err, "program-of-nobody is not installed: install the package xorriso (Debian, Ubuntu, Fedora)")

	t.Setenv("PATH", t.TempDir())
	path, err := Find("mke2fs", Package{})
	require.NoError(t, err)
	assert.Contains(t, path, "sbin/mke2fs", "it is not on the PATH of everybody")
}

func TestFailedNamesTheVersion(t *testing.T) {
	for name, test := range map[string]struct{ script, want string }{
		"to stdout":      {"echo tool 1.2; echo by somebody", "with tool 1.2; install"},
		"as a complaint": {"echo tool 1.2 >&2; exit 1", "with tool 1.2; install"},
		"without a name": {"echo Version 3", "with tool (Version 3); install"},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(directory, "tool"), []byte("#!/bin/sh\n"+test.script+"\n"), 0o755))
			t.Setenv("PATH", directory+":"+os.Getenv("PATH"))
			broken := errors.New("tool: cannot")
			err := Failed(t.Context(), "packing", broken, "tool", "-V", differing)
			assert.ErrorIs(t, err, broken)
			assert.ErrorContains(t, err, "packing fails on this host: tool: cannot\n  "+test.want+" another version of the package qemu-utils (Debian, Ubuntu)")
		})
	}
}

func TestFailedForAMissingProgram(t *testing.T) {
	_, err := Find("program-of-nobody", differing)
	assert.Equal(t, err, Failed(t.Context(), "packing", fmt.Errorf("pack: %w", err), "tool", "-V", Package{}))
}

func TestTryOutSaysEverythingAndLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	fails := func(what string) Try {
		return func(_ context.Context, directory string) error {
			require.NoError(t, os.WriteFile(filepath.Join(directory, "sample"), nil, 0o600))
			return errors.New(what)
		}
	}
	assert.EqualError(t, TryOut(t.Context(), fails("one"), fails("two"), fails("one")), "one\ntwo")
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, left)

	stop := errors.New("stopped by the user")
	ctx, cancel := context.WithCancelCause(t.Context())
	err = TryOut(ctx, func(context.Context, string) error { cancel(stop); return nil })
	assert.Equal(t, stop, err)
}

func TestRun(t *testing.T) {
	for name, test := range map[string]struct{ script, want string }{
		"good":           {"echo noise >&2", ""},
		"it says why":    {"echo cannot >&2; exit 3", "cannot"},
		"it says much":   {"seq 5 >&2; exit 3", "1\n2\n3\n... and 2 more lines"},
		"it says naught": {"exit 3", "exit status 3"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, err := Command(t.Context(), "sh", differing, "-c", test.script)
			require.NoError(t, err)
			err = Run(t.Context(), cmd)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			assert.Equal(t, 3, exit.ExitCode())
		})
	}
}

func TestCommandForAMissingProgram(t *testing.T) {
	_, err := Command(t.Context(), "program-of-nobody", differing)
	assert.ErrorContains(t, err, "install the package qemu-utils")
}

// What it has started holds the pipe of its messages open.
func TestRunEndsWithItsContext(t *testing.T) {
	stop := errors.New("stopped by the user")
	ctx, cancel := context.WithCancelCause(t.Context())
	cmd, err := Command(ctx, "sh", differing, "-c", "sleep 5 & echo started; wait")
	require.NoError(t, err)
	cmd.WaitDelay = time.Millisecond
	cmd.Stdout = writer(func() { cancel(stop) })
	assert.Equal(t, stop, Run(ctx, cmd))
	assert.Equal(t, stop, Run(ctx, exec.Command("true")), "nothing is started after that")
}

type writer func()

func (w writer) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}
