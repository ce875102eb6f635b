package machine

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThreads(t *testing.T) {
	all := func(n int) (cpus []int) {
		for cpu := range n {
			cpus = append(cpus, cpu)
		}
		return cpus
	}
	pairs := map[int]string{0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}
	split := map[int]string{0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"}
	alone := map[int]string{0: "0", 1: "1", 2: "2", 3: "3"}
	for name, tt := range map[string]struct {
		allowed  []int
		siblings map[int]string
		quota    float64
		want     int
	}{
		"4 sockets of 1 core":             {all(4), alone, 0, 4},
		"2 cores of 2 threads":            {all(4), pairs, 0, 2},
		"threads numbered as Intel does":  {[]int{0, 1, 4, 5}, split, 0, 2},
		"only the second thread allowed":  {[]int{1, 2, 3}, pairs, 0, 2},
		"no topology":                     {all(4), nil, 0, 4},
		"no topology for a plugged one":   {all(5), pairs, 0, 3},
		"a quota above":                   {all(4), alone, 6, 4},
		"a quota below":                   {all(4), alone, 2, 2},
		"a quota that is not an integer":  {all(4), alone, 2.9, 2},
		"a quota of half a processor":     {all(4), alone, 0.5, 1},
		"a quota between cores and CPUs":  {all(4), pairs, 3, 2},
		"no processors: still one thread": {nil, nil, 0, 1},
		"64 of 128":                       {all(128), nil, 64, 64},
	} {
		got := threads(cores(tt.allowed, func(cpu int) string { return tt.siblings[cpu] }), tt.quota)
		assert.Equal(t, tt.want, got, name)
	}
}

func TestParseQuota(t *testing.T) {
	for text, want := range map[string]float64{
		"max 100000\n": 0, "200000 100000\n": 2, "150000 100000": 1.5, "50000 100000": 0.5, "1000 1000000": 0.001,
		"": 0, "max": 0, "100000": 0, "1 0": 0, "-1 100000": 0, "a b": 0, "1 2 3": 0,
	} {
		assert.Equal(t, want, parseQuota(text), "%q", text)
	}
}

func TestParseMemory(t *testing.T) {
	got, err := parseMemory("MemTotal:       24682416 kB\nMemFree:        17980036 kB\n", "MemTotal")
	require.NoError(t, err)
	assert.Equal(t, uint64(24682416<<10), got)
	for _, text := range []string{"", "MemFree: 1 kB\n", "MemTotal: 0 kB", "MemTotal: -1 kB", "MemTotal: 1 MB", "MemTotal: 99999999999999999 kB"} {
		_, err := parseMemory(text, "MemTotal")
		assert.ErrorContains(t, err, "MemTotal", text)
	}
}

var proc = map[string]string{
	"/proc/sys/kernel/random/boot_id": "boot-1\n",
	"/proc/meminfo":                   "MemTotal: 2097152 kB\n",
	"/proc/cpuinfo":                   "flags : sse2 avx\n",
}

func write(t *testing.T, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for path, content := range files {
		path = filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return root
}

func TestReadBelowARoot(t *testing.T) {
	files := maps.Clone(proc)
	for cpu := range 1024 {
		files["/sys/devices/system/cpu/cpu"+strconv.Itoa(cpu)+"/topology/thread_siblings_list"] = "0-1023\n"
	}
	facts, err := Read(write(t, files))
	require.NoError(t, err)
	assert.Equal(t, "boot-1", facts.BootID)
	assert.Equal(t, uint64(2<<30), facts.Memory)
	assert.Equal(t, runtime.GOARCH == "amd64", facts.Processor.NoAVX2)
	assert.False(t, facts.IPv6)
	assert.Equal(t, runtime.NumCPU(), facts.CPUs)
	assert.Equal(t, 1, facts.Threads, "all of them are one core here")
}

func TestReadTakesTheLowestQuota(t *testing.T) {
	files := maps.Clone(proc)
	files["/sys/fs/cgroup/cpu.max"] = "max 100000\n"
	files["/sys/fs/cgroup/system.slice/cpu.max"] = "150000 100000\n"
	facts, err := Read(write(t, files))
	require.NoError(t, err)
	assert.Equal(t, 1, facts.Threads)

	files["/sys/fs/cgroup/cpu.max"] = "120000 100000\n"
	assert.Equal(t, 1.2, quotas(write(t, files)))
	files["/sys/fs/cgroup/system.slice/cpu.max"] = "110000 100000\n"
	assert.Equal(t, 1.1, quotas(write(t, files)))
}

func TestReadNamesWhatIsMissing(t *testing.T) {
	for path, want := range map[string]string{
		"/proc/sys/kernel/random/boot_id": "boot id", "/proc/meminfo": "the amount of memory", "/proc/cpuinfo": "features of the processor",
	} {
		files := maps.Clone(proc)
		delete(files, path)
		_, err := Read(write(t, files))
		assert.ErrorContains(t, err, want)
	}
}

func TestWarnings(t *testing.T) {
	assert.Empty(t, Facts{CPUs: 4}.Warnings(0))
	assert.Empty(t, Facts{CPUs: 4}.Warnings(4))
	slow := Facts{CPUs: 4, Processor: Processor{NoAVX2: true, Hidden: []string{avx2}}}.Warnings(0)
	require.Len(t, slow, 1)
	for _, part := range []string{"4.1", "56.9", `CPU_MODEL=[MODEL="host-passthrough"]`} {
		assert.Contains(t, slow[0], part)
	}
	assert.Len(t, Facts{CPUs: 4, Processor: Processor{NoAVX2: true, Hidden: []string{avx2}}}.Warnings(5), 2)
	assert.Contains(t, Facts{CPUs: 4}.Warnings(5)[0], "5 threads on 4 processors")
}

// No text of the kernel makes a parser panic or return an invalid number.
func FuzzParse(f *testing.F) {
	f.Add("MemTotal: 24682416 kB\n")
	f.Add("150000 100000")
	f.Add("flags : avx2\n")
	f.Fuzz(func(t *testing.T, text string) {
		if memory, err := parseMemory(text, "MemTotal"); err == nil {
			assert.Positive(t, memory)
			assert.Contains(t, text, "MemTotal:")
		}
		assert.GreaterOrEqual(t, parseQuota(text), 0.0)
		if parseProcessor(text).NoAVX2 {
			assert.Contains(t, text, "flags")
		}
		assert.Positive(t, threads(1, parseQuota(text)))
	})
}
