package inspect

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// usage is what a file system's superblock and block groups record.
type usage struct {
	blockSize int64
	// clean is set if the file system was unmounted properly.
	clean bool
	// free are the blocks that are not in use.
	free []extent
}

// extent is a range of blocks, the last one included.
type extent struct{ first, last int64 }

func (f fileSystem) usage(ctx context.Context) (usage, error) {
	output, err := f.output(ctx, "dumpe2fs")
	if err != nil {
		return usage{}, err
	}
	return parseUsage(bytes.NewReader(output))
}

// freePattern matches one range in a list of free blocks.
var freePattern = regexp.MustCompile(`^(\d{1,16})(?:-(\d{1,16}))?$`)

// parseUsage reads the output of dumpe2fs.
func parseUsage(output io.Reader) (usage, error) {
	var u usage
	clean, recovered := false, true
	lines := bufio.NewScanner(output)
	// A group of 32768 blocks with every second one free is a single line.
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		// The total number of free blocks has the same label, but without indentation.
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "Filesystem state":
			clean = value == "clean"
		case "Filesystem features":
			recovered = !strings.Contains(" "+value+" ", " needs_recovery ")
		case "Block size":
			u.blockSize, _ = strconv.ParseInt(value, 10, 64)
		case "  Free blocks":
			free, err := parseExtents(value)
			if err != nil {
				return usage{}, err
			}
			u.free = append(u.free, free...)
		}
	}
	if err := lines.Err(); err != nil {
		return usage{}, fmt.Errorf("read what dumpe2fs says: %w", err)
	}
	if u.blockSize < 1024 || u.blockSize > 65536 {
		return usage{}, errors.New("dumpe2fs named no size of a block")
	}
	u.clean = clean && recovered
	return u, nil
}

func parseExtents(list string) ([]extent, error) {
	var found []extent
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		fields := freePattern.FindStringSubmatch(item)
		if fields == nil {
			return nil, fmt.Errorf("dumpe2fs listed %.80q as free blocks", item)
		}
		// The pattern matches only valid numbers.
		first, _ := strconv.ParseInt(fields[1], 10, 64)
		last := first
		if fields[2] != "" {
			last, _ = strconv.ParseInt(fields[2], 10, 64)
		}
		if last < first {
			return nil, fmt.Errorf("dumpe2fs listed %.80q as free blocks", item)
		}
		found = append(found, extent{first, last})
	}
	return found, nil
}
