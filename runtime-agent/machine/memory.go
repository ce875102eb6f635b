package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// readMemory returns an amount of memory, in bytes, by its name in /proc/meminfo.
func readMemory(root, name string) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(root, "/proc/meminfo"))
	if err != nil {
		return 0, fmt.Errorf("read the amount of memory: %w", err)
	}
	return parseMemory(string(text), name)
}

// parseMemory finds the line "<name>: <number> kB" of /proc/meminfo, where kB are KiB.
func parseMemory(meminfo, name string) (uint64, error) {
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != name+":" || fields[2] != "kB" {
			continue
		}
		// 50 bits, so that the number of bytes has 60.
		kib, err := strconv.ParseUint(fields[1], 10, 50)
		if err == nil && kib > 0 {
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("/proc/meminfo has no valid %s", name)
}
