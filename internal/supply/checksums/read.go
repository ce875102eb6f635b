package checksums

import (
	"fmt"
	"io"
)

// maxList is the size of the longest list that is read, in bytes: some ten thousand entries. Those
// of publishers of images have a few kilobytes.
const maxList = 1 << 20

// Read returns a list that a publisher serves. A longer one is refused, because what was cut off
// could be the entry that is looked for, or one that contradicts it.
func Read(r io.Reader) (string, error) {
	list, err := io.ReadAll(io.LimitReader(r, maxList+1))
	if err != nil {
		return "", err
	}
	if len(list) > maxList {
		return "", fmt.Errorf("it is no list of digests: it has more than %d bytes", maxList)
	}
	return string(list), nil
}
