package fetch

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNoRoomForADownload(t *testing.T) {
	f, _ := newFetcher(t)
	room := int64(reserve + len(content) - 1)
	f.free = func(dir string) (int64, error) {
		assert.Equal(t, f.cacheDir, dir)
		return room, nil
	}
	file := &remote{content: content, etag: `"1"`}
	p := Payload{Field: "model", Source: file.start(t), Checksum: checksum(content)}
	_, err := f.Fetch(t.Context(), p)
	require.EqualError(t, err, "model.source: model.gguf needs 156.2 KiB in "+f.cacheDir+
		", which has 256.2 MiB free, and 256.0 MiB of them stay reserved: make room there, or set PACKER_CACHE_DIR to a larger disk")
	assert.Empty(t, filesIn(t, f.cacheDir))

	// One byte was missing; of a download that is continued, only the rest must fit.
	file.cuts = []int{1, 0, 0, 0, 0}
	room++
	_, err = f.Fetch(t.Context(), p)
	require.ErrorContains(t, err, "(1 B of 156.2 KiB are kept)")
	room--
	_, err = f.Fetch(t.Context(), p)
	require.NoError(t, err)
}
