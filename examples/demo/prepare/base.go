package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
)

const (
	baseName   = "base.qcow2"
	baseRecipe = "examples/demo/base-image.sh"
	// recordName holds, beside the image, which recipe made it and what came out.
	recordName = "base.qcow2.made"
)

// baseImage returns the checksum of the base image, made anew if the recipe has changed or
// the file is not the one that was made.
func baseImage(ctx context.Context, cache string) (string, error) {
	image := filepath.Join(cache, baseName)
	record := filepath.Join(cache, recordName)
	recipe, err := checksum(ctx, baseRecipe)
	if err != nil {
		return "", err
	}
	made, err := readOptional(record)
	if err != nil {
		return "", err
	}
	present, err := checksum(ctx, image)
	if err == nil && made == describe(recipe, present) {
		return present, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := makeBaseImage(ctx, image); err != nil {
		return "", err
	}
	present, err = checksum(ctx, image)
	if err != nil {
		return "", err
	}
	return present, atomicfile.Write(record, []byte(describe(recipe, present)), 0o644, nil)
}

func describe(recipe, image string) string {
	return fmt.Sprintf("recipe %s\nimage %s\n", recipe, image)
}

func makeBaseImage(ctx context.Context, image string) error {
	recipe := exec.CommandContext(ctx, "sh", baseRecipe, image)
	recipe.Stdout, recipe.Stderr = os.Stderr, os.Stderr
	// The script cleans up after itself when it is asked to stop, so it is asked first.
	recipe.Cancel = func() error { return recipe.Process.Signal(syscall.SIGTERM) }
	recipe.WaitDelay = time.Minute
	if err := recipe.Run(); err != nil {
		return fmt.Errorf("%s: %w", baseRecipe, err)
	}
	return nil
}
