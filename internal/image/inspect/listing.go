package inspect

import (
	"bufio"
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// entry is one name in a directory.
type entry struct {
	name  string
	inode uint64
	// mode is the mode of the inode, including the file type bits.
	mode uint32
	// size is in bytes, and 0 for a directory.
	size int64
}

// entryPattern matches a line of "ls -p": /inode/mode/uid/gid/name/size/
var entryPattern = regexp.MustCompile(`^/(\d{1,10})/([0-7]{6})/\d+/\d+/([^/\n]*)/(\d{0,18})/\n$`)

// readListing reads the answer to one "ls -p", which ends in an empty line.
func readListing(r *bufio.Reader) ([]entry, error) {
	var entries []entry
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, errors.New("the list is cut short")
		}
		if line == "\n" {
			return entries, nil
		}
		fields := entryPattern.FindStringSubmatch(line)
		if fields == nil {
			return nil, fmt.Errorf("%.80q is not an entry of a directory", line)
		}
		// Inode 0 marks an unused entry.
		if fields[1] == "0" || fields[3] == "" || fields[3] == "." || fields[3] == ".." {
			continue
		}
		// The pattern matches only valid numbers.
		inode, _ := strconv.ParseUint(fields[1], 10, 64)
		mode, _ := strconv.ParseUint(fields[2], 8, 32)
		size, _ := strconv.ParseInt(fields[4], 10, 64)
		entries = append(entries, entry{fields[3], inode, uint32(mode), size})
	}
}
