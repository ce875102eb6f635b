package fetch

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Removing the file of a lock must not let two in: one that opened it just before would
// lock a file that has no name any more.
func TestOneHolderAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	var inside, entered atomic.Int32
	var builds sync.WaitGroup
	for range 8 {
		builds.Go(func() {
			for entered.Load() < 2000 {
				file, _, err := tryLock(path)
				if !assert.NoError(t, err) {
					return
				}
				if file == nil {
					continue
				}
				entered.Add(1)
				assert.Equal(t, int32(1), inside.Add(1))
				inside.Add(-1)
				os.Remove(path)
				file.Close()
			}
		})
	}
	builds.Wait()
}

func TestIsAt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	file, holder, err := tryLock(path)
	require.NoError(t, err)
	defer file.Close()
	assert.Empty(t, holder)
	assert.True(t, isAt(file, path))
	require.NoError(t, os.Remove(path))
	assert.False(t, isAt(file, path), "removed")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	assert.False(t, isAt(file, path), "another file of that name")
}
