package qemuimg

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// ToRaw writes the disk that the QCOW2 image source shows a guest as a raw file with holes.
// Target appears complete or not at all.
func ToRaw(ctx context.Context, source, target string, say func(string)) error {
	info, err := Inspect(ctx, source)
	if err != nil {
		return err
	}
	from, to, err := plainPair(source, target)
	if err != nil {
		return err
	}
	args := []string{
		"convert", "-p", "-f", Format, "-O", "raw", "-m", coroutines(), "-W", from, to + partialSuffix,
	}
	meter := progress.Lines("unpack "+filepath.Base(source), info.VirtualSize, say)
	if err := convert(ctx, meter, info.VirtualSize, args, to); err != nil {
		return fmt.Errorf("unpack %s into %s: %w", source, target, err)
	}
	return nil
}

// DataSize is how many bytes of its disk a QCOW2 image holds, its backing files included:
// the most that a raw copy of it occupies.
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

// parseMap reads the answer of "qemu-img map --output=json".
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
