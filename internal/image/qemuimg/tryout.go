package qemuimg

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
)

// TryOut does with a small disk everything that a build does with a large one, to check that
// qemu-img works here.
func TryOut(ctx context.Context, directory string) error {
	if err := roundTrip(ctx, directory); err != nil {
		return hostprogram.Failed(ctx, "packing a disk into a QCOW2 image with zstd and unpacking it", err, Program, "--version", distributionPackage)
	}
	return nil
}

func roundTrip(ctx context.Context, directory string) error {
	quiet := func(string) {}
	path := func(name string) string { return filepath.Join(directory, name) }
	content := bytes.Repeat([]byte("a small disk\n"), 1<<20)[:1<<20]
	part := Part{Start: 512, Size: 4096}
	if err := os.WriteFile(path("disk.raw"), content, 0o600); err != nil {
		return err
	}
	steps := []func() error{
		func() error { return FromRaw(ctx, path("disk.raw"), path("base.qcow2"), quiet) },
		func() error { return CreateOverlay(ctx, path("base.qcow2"), path("overlay.qcow2")) },
		func() error { return Compact(ctx, path("overlay.qcow2"), path("packed.qcow2"), quiet) },
		func() error { return ToRaw(ctx, path("packed.qcow2"), part, path("part.raw"), quiet) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	unpacked, err := os.ReadFile(path("part.raw"))
	if err == nil && !bytes.Equal(unpacked, content[part.Start:part.Start+part.Size]) {
		err = errors.New("what is unpacked is not what was packed")
	}
	return err
}
