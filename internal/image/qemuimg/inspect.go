package qemuimg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Format is the format of all our images.
const Format = "qcow2"

// Info describes a disk image.
type Info struct {
	// Format is the format qemu-img detects in the content; it reports everything it does not
	// recognize as "raw", even garbage.
	Format string
	// VirtualSize is the size of the disk a guest sees, in bytes.
	VirtualSize int64
	// ActualSize is what the file occupies, in bytes.
	ActualSize int64
	// Backing is the backing file of an overlay; empty for a standalone image.
	Backing string
	// Compression is the method for compressed clusters: "zlib", "zstd", or empty for a format
	// without compression.
	Compression string
}

// Inspect reads the header of an image. It never opens a backing file.
func Inspect(ctx context.Context, path string) (Info, error) {
	if err := readable(path); err != nil {
		return Info{}, fmt.Errorf("inspect image: %w", err)
	}
	absolute, err := plain(path)
	if err != nil {
		return Info{}, err
	}
	var stdout bytes.Buffer
	if err := run(ctx, &stdout, "info", "--output=json", absolute); err != nil {
		return Info{}, fmt.Errorf("inspect image %s: %w", path, err)
	}
	info, err := parseInfo(stdout.Bytes())
	if err != nil {
		return Info{}, fmt.Errorf("inspect image %s: %w", path, err)
	}
	return info, nil
}

// Check verifies all metadata of a QCOW2 image and reports damage. It is the only way to
// notice that a file was truncated: everything else reads the missing part as zeros.
func Check(ctx context.Context, path string) error {
	if err := readable(path); err != nil {
		return fmt.Errorf("check image: %w", err)
	}
	absolute, err := plain(path)
	if err != nil {
		return err
	}
	err = run(ctx, nil, "check", "-f", Format, absolute)
	switch exitStatus(err) {
	// The statuses are those of qemu-img(1).
	case 2:
		return fmt.Errorf("check image %s: it is damaged; build or copy it again: %w", path, err)
	case 3:
		return fmt.Errorf("check image %s: it has leaked clusters; \"qemu-img check -r leaks\" frees them: %w", path, err)
	}
	if err != nil {
		return fmt.Errorf("check image %s: %w", path, err)
	}
	return nil
}

// readable reports common mistakes in the words of the operating system, which are shorter
// than those of qemu-img.
func readable(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	status, err := file.Stat()
	if err != nil {
		return err
	}
	if status.IsDir() {
		return fmt.Errorf("%s is a directory, not a disk image", path)
	}
	return nil
}

// parseInfo parses the output of "qemu-img info --output=json".
func parseInfo(answer []byte) (Info, error) {
	var fields struct {
		Format      string `json:"format"`
		VirtualSize int64  `json:"virtual-size"`
		ActualSize  int64  `json:"actual-size"`
		Backing     string `json:"backing-filename"`
		FullBacking string `json:"full-backing-filename"`
		Specific    struct {
			Data struct {
				Compression string `json:"compression-type"`
			} `json:"data"`
		} `json:"format-specific"`
	}
	if err := json.Unmarshal(answer, &fields); err != nil {
		return Info{}, fmt.Errorf("qemu-img gave no JSON: %w", err)
	}
	if fields.Format == "" || fields.VirtualSize < 0 || fields.ActualSize < 0 {
		return Info{}, errors.New("qemu-img named no format or a negative size")
	}
	backing := fields.FullBacking
	if backing == "" {
		backing = fields.Backing
	}
	return Info{
		Format:      fields.Format,
		VirtualSize: fields.VirtualSize,
		ActualSize:  fields.ActualSize,
		Backing:     backing,
		Compression: fields.Specific.Data.Compression,
	}, nil
}
