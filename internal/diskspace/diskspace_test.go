package diskspace

import (
	"io/fs"
	"math"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// df(1) is asked before and after: others may write meanwhile.
func TestFreeIsWhatDfSays(t *testing.T) {
	df := func() int64 {
		out, err := exec.Command("df", "--block-size=1", "--output=avail", t.TempDir()).Output()
		require.NoError(t, err)
		fields := strings.Fields(string(out))
		free, err := strconv.ParseInt(fields[len(fields)-1], 10, 64)
		require.NoError(t, err)
		return free
	}
	before := df()
	free, err := Free(t.TempDir())
	require.NoError(t, err)
	const others = 1 << 30
	assert.InDelta(t, before, free, others)
	assert.InDelta(t, df(), free, others)
}

func TestAnImpossibleNumberOfBlocksIsALot(t *testing.T) {
	assert.Equal(t, int64(4096*7), product(7, 4096))
	for _, blocks := range []uint64{math.MaxUint64, 1 << 52, 1 << 63} {
		assert.Equal(t, int64(math.MaxInt64), product(blocks, 4096), blocks)
	}
}

func TestFreeOfNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	_, err := Free(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, path)
}
