package hostprogram

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

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
