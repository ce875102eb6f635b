package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever a second try reads again, and in whatever pieces.
func TestSourceHashesEachByteOnce(t *testing.T) {
	const content = "0123456789"
	want := sha256.Sum256([]byte(content))
	for read := range len(content) + 1 {
		for offset := range read + 1 {
			source := newSource(file(content), nil)
			_, err := io.ReadFull(source.rest(0), make([]byte, read))
			require.NoError(t, err)
			require.NoError(t, iotest.TestReader(io.MultiReader(source.rest(int64(offset))), []byte(content[offset:])))
			assert.Equal(t, hex.EncodeToString(want[:]), source.digest(), "%d read, then on from %d", read, offset)
		}
	}
}

func TestInputEndsWithItsCall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	deadline := time.AfterFunc(time.Hour, func() {})
	input := &input{ctx, strings.NewReader("content"), deadline, time.Hour}
	_, err := input.Read(make([]byte, 3))
	require.NoError(t, err)
	cancel()
	_, err = input.Read(make([]byte, 3))
	assert.ErrorIs(t, err, context.Canceled)
}
