package builder

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/diskspace"
)

func TestGuardSpaceEndsWhenTheDiskFillsUp(t *testing.T) {
	var left atomic.Int64
	left.Store(spareSpace)
	asked := make(chan struct{}, 100)
	ctx, stop := guardSpace(t.Context(), "/some/where", func(string) (int64, error) {
		asked <- struct{}{}
		return left.Load(), nil
	})
	defer stop()
	<-asked
	require.NoError(t, ctx.Err(), "enough is left")
	left.Store(spareSpace - 1<<20)
	<-ctx.Done()
	assert.EqualError(t, context.Cause(ctx),
		"output_directory: the file system of /some/where is full (255.0 MiB left); free some space, or choose another directory")
}

func TestGuardSpaceEndsWithItsParent(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	ctx, stop := guardSpace(parent, t.TempDir(), diskspace.Free)
	defer stop()
	cancel()
	<-ctx.Done()
	assert.ErrorIs(t, context.Cause(ctx), context.Canceled)
}
