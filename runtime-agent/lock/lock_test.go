package lock

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "lock")
	release, err := Acquire(t.Context(), path)
	require.NoError(t, err)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Acquire(ended, path)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "another run holds")

	taken := make(chan error, 1)
	go func() {
		second, err := Acquire(t.Context(), path)
		if err == nil {
			err = second()
		}
		taken <- err
	}()
	require.NoError(t, release())
	assert.NoError(t, <-taken)
}
