package machine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBandwidth(t *testing.T) {
	enough := write(t, map[string]string{"/proc/meminfo": "MemAvailable: 65536 kB\n"})
	assert.Positive(t, Bandwidth(enough, 2))
	for name, meminfo := range map[string]string{"little": "MemAvailable: 1024 kB\n", "unknown": "MemTotal: 65536 kB\n"} {
		assert.Zero(t, Bandwidth(write(t, map[string]string{"/proc/meminfo": meminfo}), 2), name)
	}
}

func TestSum(t *testing.T) {
	numbers := make([]uint64, 24)
	for i := range numbers {
		numbers[i] = uint64(i)
	}
	assert.Equal(t, uint64(23*24/2), sum(numbers), "every number is read")
}

func TestProcessorsTogether(t *testing.T) { assert.Positive(t, Processors(1)) }

func TestTimes(t *testing.T) {
	before, err := parseTimes("cpu  100 0 50 800 10 0 0 40 7 0\ncpu0 1\n")
	require.NoError(t, err)
	after, err := parseTimes("cpu  200 0 100 800 10 0 0 90 7 0\n")
	require.NoError(t, err)
	assert.Equal(t, 0.25, after.StolenSince(before))
	assert.Zero(t, before.StolenSince(after), "a counter that goes back")
	assert.Zero(t, before.StolenSince(before))

	for _, text := range []string{"", "cpu 1 2", "cpu0 1 2 3 4 5 6 7 8", "cpu a 2 3 4 5 6 7 8", "cpu -1 2 3 4 5 6 7 8"} {
		_, err := parseTimes(text)
		assert.ErrorContains(t, err, "/proc/stat", "%q", text)
	}
	_, err = ReadTimes("/")
	require.NoError(t, err)
}

func TestKernels(t *testing.T) {
	const line = "7f00-7f01 r-xp 00000000 fe:01 123 /opt/local-ai/backends/llama-cpp/lib/"
	root := write(t, map[string]string{
		"/proc/17/maps": line + "libggml-base.so\n",
		"/proc/99/maps": line + "libggml-base.so\n" + line + "libggml-cpu-sapphirerapids.so\n",
	})
	assert.Equal(t, "sapphirerapids", Kernels(root))
	assert.Empty(t, Kernels(write(t, nil)))
}

func FuzzTimes(f *testing.F) {
	f.Add("cpu  100 0 50 800 10 0 0 40 7 0\n")
	f.Fuzz(func(t *testing.T, stat string) {
		if times, err := parseTimes(stat); err == nil {
			stolen := times.StolenSince(Times{})
			assert.True(t, stolen >= 0 && stolen <= 1)
		}
	})
}
