package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// blockPerThread is how much each thread reads to measure the memory, in bytes: more than its
	// share of any processor's cache.
	blockPerThread = 128 << 20
	// mostRead is what all of them read together at most, in bytes. The engine's weights are in the page cache, which
	// counts as available: a small part of that must do.
	mostRead     = 1 << 30
	partOfMemory = 8
	leastRead    = 1 << 20
	// passes are how often each thing is measured; the fastest counts, because nothing makes a machine faster
	// than it is.
	passes = 3
	// spell is how long processors compute to find out how many there are.
	spell = 100 * time.Millisecond
)

// Bandwidth measures how fast so many threads read memory together, in bytes per second, as the engine
// reads its weights for each token. It takes a second or two, and at most 1 GiB and an eighth of the memory that is
// available; the result is 0 where that is too little to tell.
func Bandwidth(root string, threads int) float64 {
	available, err := readMemory(root, "MemAvailable")
	block := min(blockPerThread, min(mostRead, available/partOfMemory)/uint64(threads))
	if err != nil || block < leastRead {
		return 0
	}
	blocks := make([][]uint64, threads)
	together(threads, func(i int) {
		blocks[i] = make([]uint64, block/8)
		for j := range blocks[i] {
			blocks[i][j] = uint64(j) // the kernel gives no memory for what was never written
		}
	})
	fastest := time.Duration(0)
	for range passes {
		began := time.Now()
		sums := make([]uint64, threads)
		together(threads, func(i int) { sums[i] = sum(blocks[i]) })
		if took := time.Since(began); fastest == 0 || took < fastest {
			fastest = took
		}
		runtime.KeepAlive(sums)
	}
	return float64(block) * float64(threads) / max(fastest.Seconds(), 1e-9)
}

// sum has four chains, so that it waits for the memory and not for itself.
func sum(numbers []uint64) uint64 {
	var a, b, c, d uint64
	for len(numbers) >= 8 {
		eight := numbers[:8:8]
		a += eight[0] + eight[4]
		b += eight[1] + eight[5]
		c += eight[2] + eight[6]
		d += eight[3] + eight[7]
		numbers = numbers[8:]
	}
	return a + b + c + d
}

// Processors measures how many times the work of one thread so many do together: less than their
// number where they share cores, or the host gives them less.
func Processors(threads int) float64 {
	rounds := func(threads int) (total float64) {
		counts := make([]float64, threads)
		together(threads, func(i int) {
			// Four chains of xorshift, so that one thread keeps a core busy, and two on one core share it.
			a, b, c, d := uint64(i)+1, uint64(i)+2, uint64(i)+3, uint64(i)+4
			for until := time.Now().Add(spell); time.Now().Before(until); counts[i]++ {
				for range 1 << 10 {
					a, b, c, d = xorshift(a), xorshift(b), xorshift(c), xorshift(d)
				}
			}
			runtime.KeepAlive(a ^ b ^ c ^ d)
		})
		for _, count := range counts {
			total += count
		}
		return total
	}
	var all, alone float64
	for range passes { // what else runs here slows one or the other for a moment
		all, alone = max(all, rounds(threads)), max(alone, rounds(1))
	}
	return all / max(alone, 1)
}

func xorshift(state uint64) uint64 {
	state ^= state << 13
	state ^= state >> 7
	return state ^ state<<17
}

// together runs something on so many threads at once.
func together(threads int, work func(i int)) {
	var all sync.WaitGroup
	for i := range threads {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			work(i)
		})
	}
	all.Wait()
}

// Times is what the processors have done since the boot, in the kernel's ticks.
type Times struct{ stolen, total uint64 }

// ReadTimes asks the kernel.
func ReadTimes(root string) (Times, error) {
	text, err := os.ReadFile(filepath.Join(root, "/proc/stat"))
	if err != nil {
		return Times{}, fmt.Errorf("read what the processors do: %w", err)
	}
	return parseTimes(string(text))
}

// parseTimes reads /proc/stat (proc_stat(5)): user, nice, system, idle, iowait, irq, softirq, steal; what
// guests had is part of the first two.
func parseTimes(stat string) (Times, error) {
	const count, steal = 8, 7
	first, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(first)
	if len(fields) < count+1 || fields[0] != "cpu" {
		return Times{}, fmt.Errorf("/proc/stat begins with %q, expected the times of all processors", first)
	}
	var t Times
	for i, field := range fields[1 : count+1] {
		// 50 bits, so that their sum has 64.
		ticks, err := strconv.ParseUint(field, 10, 50)
		if err != nil {
			return Times{}, fmt.Errorf("/proc/stat has a time of %q", field)
		}
		t.total += ticks
		if i == steal {
			t.stolen = ticks
		}
	}
	return t, nil
}

// StolenSince returns the part of the processors' time, 0 to 1, that the host has given to others.
func (t Times) StolenSince(before Times) float64 {
	if t.total <= before.total || t.stolen < before.stolen {
		return 0
	}
	return min(1, float64(t.stolen-before.stolen)/float64(t.total-before.total))
}

// kernelLibrary matches the one of llama.cpp's CPU backends that a process has loaded.
var kernelLibrary = regexp.MustCompile(`/libggml-cpu-([a-z0-9_.-]+)\.so`)

// Kernels returns which of its libraries of kernels the engine has chosen for these processors, "haswell" say; "" where none is
// to be seen.
func Kernels(root string) string {
	maps, _ := filepath.Glob(filepath.Join(root, "/proc/[1-9]*/maps")) // the pattern is right
	for _, path := range maps {
		// A process may end meanwhile.
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if found := kernelLibrary.FindSubmatch(text); found != nil {
			return string(found[1])
		}
	}
	return ""
}
