package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func readMemory(root string) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(root, "/proc/meminfo"))
	if err != nil {
		return 0, fmt.Errorf("read the amount of memory: %w", err)
	}
	return parseMemory(string(text))
}

// parseMemory finds the line "MemTotal: <number> kB" of /proc/meminfo, where kB are KiB.
func parseMemory(meminfo string) (uint64, error) {
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "MemTotal:" || fields[2] != "kB" {
			continue
		}
		// 50 bits, so that the number of bytes has 60.
		kib, err := strconv.ParseUint(fields[1], 10, 50)
		if err == nil && kib > 0 {
			return kib << 10, nil
		}
	}
	return 0, errors.New("/proc/meminfo has no valid MemTotal")
}
