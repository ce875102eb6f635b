package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain holds a lock for ever if it is told to: the other process of a test.
func TestMain(m *testing.M) {
	if path := os.Getenv("HOLD_LOCK"); path != "" {
		if _, err := Try(path); err != nil {
			panic(err)
		}
		fmt.Println("held")
		select {}
	}
	os.Exit(m.Run())
}

func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Try(path)
	require.NoError(t, err)
	_, err = Try(path)
	require.ErrorIs(t, err, ErrHeld)

	require.NoError(t, first.Release())
	assert.NoFileExists(t, path)
	second, err := Try(path)
	require.NoError(t, err)
	require.NoError(t, second.Release())
}

func TestADirectoryIsLockedAndStays(t *testing.T) {
	directory := t.TempDir()
	first, err := TryDirectory(directory)
	require.NoError(t, err)
	_, err = TryDirectory(directory)
	require.ErrorIs(t, err, ErrHeld)
	require.NoError(t, first.Release())
	assert.DirExists(t, directory)

	_, err = TryDirectory(filepath.Join(directory, "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestWaitDirectoryTakesItOnceItIsFree(t *testing.T) {
	directory := t.TempDir()
	first, err := TryDirectory(directory)
	require.NoError(t, err)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = WaitDirectory(ended, directory)
	require.ErrorIs(t, err, context.Canceled)

	taken := make(chan error, 1)
	go func() {
		second, err := WaitDirectory(t.Context(), directory)
		if err == nil {
			err = second.Release()
		}
		taken <- err
	}()
	require.NoError(t, first.Release())
	assert.NoError(t, <-taken)
}

func TestWaitSaysOnceWhoHoldsTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Try(path)
	require.NoError(t, err)
	var heard []string
	second, err := Wait(t.Context(), path, func(holder string) {
		heard = append(heard, holder)
		require.NoError(t, first.Release())
	})
	require.NoError(t, err)
	defer func() { assert.NoError(t, second.Release()) }()
	assert.Equal(t, []string{fmt.Sprintf("process %d", os.Getpid())}, heard)

	stopped := errors.New("stopped by the user")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = Wait(ctx, path, func(string) { cancel(stopped) })
	require.ErrorIs(t, err, stopped)
	assert.ErrorContains(t, err, path)
}

// Removing the file of a lock must not let two in: one that opened it just before would
// lock a file that has no name any more.
func TestOneHolderAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside, entered atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for entered.Load() < 2000 {
				lock, err := Try(path)
				if errors.Is(err, ErrHeld) {
					continue
				}
				if !assert.NoError(t, err) {
					return
				}
				entered.Add(1)
				assert.Equal(t, int32(1), inside.Add(1))
				inside.Add(-1)
				assert.NoError(t, lock.Release())
			}
		})
	}
	all.Wait()
}

func TestTheLockOfAKilledProcessIsFree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), "HOLD_LOCK="+path)
	output, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	line := make([]byte, len("held\n"))
	_, err = output.Read(line)
	require.NoError(t, err)
	require.Equal(t, "held", strings.TrimSpace(string(line)))

	lock, err := Wait(t.Context(), path, func(holder string) {
		assert.Equal(t, fmt.Sprintf("process %d", other.Process.Pid), holder)
		require.NoError(t, other.Process.Kill())
		require.Error(t, other.Wait())
	})
	require.NoError(t, err)
	require.NoError(t, lock.Release())
}

func TestWhatCannotBeLockedIsNamed(t *testing.T) {
	directory := t.TempDir()
	_, err := Try(filepath.Join(directory, "none", "lock"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "lock "+directory)
}
