package qemuimg

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// Part is a region of a disk, such as a partition, in bytes.
type Part struct{ Start, Size int64 }

// ToRaw extracts a region of the disk in the QCOW2 image source as a sparse raw file. Target
// appears complete or not at all.
func ToRaw(ctx context.Context, source string, part Part, target string, say func(string)) error {
	from, to, err := plainPair(source, target)
	if err != nil {
		return err
	}
	args := []string{
		"convert", "-p", "--image-opts", "-O", "raw", "-m", coroutines(), "-W", part.of(from), to + partialSuffix,
	}
	meter := progress.Lines("unpack "+filepath.Base(source), part.Size, say)
	if err := convert(ctx, meter, part.Size, args, to); err != nil {
		return fmt.Errorf("unpack %s into %s: %w", source, target, err)
	}
	return nil
}

// of returns the region of a QCOW2 image in qemu-img's syntax, in which a comma ends a value
// unless it is doubled.
func (p Part) of(path string) string {
	return fmt.Sprintf("driver=raw,offset=%d,size=%d,file.driver=%s,file.file.driver=file,file.file.filename=%s",
		p.Start, p.Size, Format, strings.ReplaceAll(path, ",", ",,"))
}

// DataSize returns how many bytes of its disk a QCOW2 image allocates, including its backing
// files: the most that a raw copy of it occupies.
func DataSize(ctx context.Context, path string) (int64, error) {
	from, err := plain(path)
	if err != nil {
		return 0, err
	}
	var stdout bytes.Buffer
	if err := run(ctx, &stdout, "map", "--output=json", "-f", Format, from); err != nil {
		return 0, fmt.Errorf("read the map of %s: %w", path, err)
	}
	size, err := parseMap(stdout.Bytes())
	if err != nil {
		return 0, fmt.Errorf("read the map of %s: %w", path, err)
	}
	return size, nil
}

// parseMap parses the output of "qemu-img map --output=json".
func parseMap(answer []byte) (int64, error) {
	var ranges []struct {
		Length int64 `json:"length"`
		Data   bool  `json:"data"`
		Zero   bool  `json:"zero"`
	}
	if err := json.Unmarshal(answer, &ranges); err != nil {
		return 0, fmt.Errorf("qemu-img gave no JSON: %w", err)
	}
	var size int64
	for _, r := range ranges {
		if r.Length < 0 || r.Length > math.MaxInt64-size {
			return 0, fmt.Errorf("qemu-img named a range of %d bytes", r.Length)
		}
		if r.Data && !r.Zero {
			size += r.Length
		}
	}
	return size, nil
}
