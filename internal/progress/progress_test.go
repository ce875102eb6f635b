package progress

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLinesAppearEveryFiveSecondsAndAtTheEnd(t *testing.T) {
	var lines []string
	clock := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	m := Lines("upload model.gguf", 4096, func(line string) { lines = append(lines, line) })
	m.now = func() time.Time { return clock }
	m.started, m.lastLine = clock, clock

	m.Add(1024)
	assert.Empty(t, lines, "nothing is said in the first five seconds")
	clock = clock.Add(8 * time.Second)
	m.Add(1024)
	m.Add(1024)
	clock = clock.Add(2 * time.Second)
	m.Note("a word in between")
	m.Set(4096)
	m.Finish()
	assert.Equal(t, []string{
		"upload model.gguf: 50% of 4.0 KiB, 256 B/s",
		"upload model.gguf: a word in between",
		"upload model.gguf: 4.0 KiB in 10s",
	}, lines)
}

func TestStartCountsForThePercentageAlone(t *testing.T) {
	var lines []string
	clock := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	m := Lines("download model.gguf", 4096, func(line string) { lines = append(lines, line) })
	m.now = func() time.Time { return clock }
	m.started, m.lastLine = clock, clock

	m.Start(2048)
	clock = clock.Add(8 * time.Second)
	m.Add(1024)
	assert.Equal(t, []string{"download model.gguf: 75% of 4.0 KiB, 128 B/s"}, lines)
}

func TestReaderCountsFromSeveralGoroutines(t *testing.T) {
	m := Lines("copy", 0, func(string) {})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := io.Copy(io.Discard, m.Reader(strings.NewReader(strings.Repeat("x", 1000))))
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	assert.Equal(t, int64(8000), m.done)
}

func TestNilMeterIsSilent(t *testing.T) {
	var m *Meter
	m.Add(1)
	m.Set(2)
	m.Note("nobody hears it")
	m.Finish()
	got, err := io.ReadAll(m.Reader(strings.NewReader("abc")))
	require.NoError(t, err)
	assert.Equal(t, "abc", string(got))
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 15354000000: "14.3 GiB",
	} {
		assert.Equal(t, want, Bytes(n))
	}
}
