package fetch

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/diskspace"
)

func TestNoRoomForADownload(t *testing.T) {
	f, _ := newFetcher(t)
	room := int64(diskspace.Reserve + len(content) - 1)
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

// Of a file whose length nobody states, only the reserve can be held.
func TestReserveIsKeptWhileAFileGrows(t *testing.T) {
	const piece = 1 << 20
	for name, tt := range map[string]struct {
		etag  string
		kept  bool
		files int
	}{
		"what came can be continued": {`"1"`, true, 2},
		"what came is of no use":     {"", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newFetcher(t)
			url, requests := server(t, func(w http.ResponseWriter, r *http.Request) {
				if tt.etag != "" {
					w.Header().Set("ETag", tt.etag)
				}
				for r.Context().Err() == nil {
					_, _ = io.WriteString(w, strings.Repeat("x", piece))
				}
			})
			looks := 0
			f.free = func(string) (int64, error) {
				looks++
				return int64(diskspace.Reserve + 1 - looks/2), nil
			}
			_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url})
			require.ErrorContains(t, err, "model.source: model.gguf needs more room in "+f.cacheDir+
				", which has 256.0 MiB free, and 256.0 MiB of them stay reserved")
			assert.Equal(t, tt.kept, strings.Contains(err.Error(), " are kept)"))
			assert.Equal(t, int32(1), requests.Load(), "another attempt would not help")
			assert.Len(t, filesIn(t, f.cacheDir), tt.files)
		})
	}
}

func TestReserveIsKeptWhileOthersWrite(t *testing.T) {
	f, _ := newFetcher(t)
	const size = 3 * checkEvery
	url, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		_, _ = io.WriteString(w, strings.Repeat("x", size))
	})
	looks := 0
	f.free = func(string) (int64, error) {
		looks++
		return diskspace.Reserve + size - int64(looks-1)*2*checkEvery, nil
	}
	_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url, Checksum: checksum(content)})
	require.ErrorContains(t, err, " of them stay reserved (")
	assert.ErrorContains(t, err, " of 48.0 MiB are kept): make room there")
}

func TestImpossibleLengths(t *testing.T) {
	for name, tt := range map[string]struct{ length, err string }{
		"the largest there is":   {fmt.Sprint(int64(math.MaxInt64)), "needs 8.0 EiB in "},
		"too large for a number": {"9223372036854775808", "failed 5 times"},
		"negative":               {"-1", "failed 5 times"},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newFetcher(t)
			url := raw(t, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "+tt.length+"\r\n\r\nshort")
			_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url, Checksum: checksum(content)})
			require.ErrorContains(t, err, tt.err)
			assert.Empty(t, filesIn(t, f.cacheDir))
		})
	}
}
