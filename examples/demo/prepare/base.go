package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
)

const (
	baseName   = "base.qcow2"
	baseRecipe = "examples/demo/base-image.sh"
	// recordSuffix is the suffix of the file that records the digests of the recipe and its
	// image.
	recordSuffix = ".made"
)

// baseImage links the base image into cache and returns its checksum. The image itself is
// kept in images, named after its recipe. It is built if it is missing or differs from the
// recorded one.
func baseImage(ctx context.Context, cache, images string) (string, error) {
	recipe, err := checksum(ctx, baseRecipe)
	if err != nil {
		return "", err
	}
	image, err := filepath.Abs(filepath.Join(images, "base-"+strings.TrimPrefix(recipe, "sha256:")[:12]+".qcow2"))
	if err != nil {
		return "", err
	}
	present, err := madeBefore(ctx, image, recipe)
	if err == nil && present == "" {
		present, err = makeBaseImage(ctx, image, recipe)
	}
	if err != nil {
		return "", err
	}
	// Older checkouts have a regular file here.
	name := filepath.Join(cache, baseName)
	if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
		if err := os.Remove(name); err != nil {
			return "", err
		}
	}
	return present, atomicfile.Link(image, name)
}

// madeBefore returns the checksum of the image, or "" if it was not built from the recipe.
func madeBefore(ctx context.Context, image, recipe string) (string, error) {
	made, err := readOptional(image + recordSuffix)
	if err != nil || made == "" {
		return "", err
	}
	present, err := checksum(ctx, image)
	if errors.Is(err, os.ErrNotExist) || err == nil && made != describe(recipe, present) {
		return "", nil
	}
	return present, err
}

func describe(recipe, image string) string {
	return fmt.Sprintf("recipe %s\nimage %s\n", recipe, image)
}

func makeBaseImage(ctx context.Context, image, recipe string) (string, error) {
	script := exec.CommandContext(ctx, "sh", baseRecipe, image)
	script.Stdout, script.Stderr = os.Stderr, os.Stderr
	// The script cleans up on SIGTERM, but a shell handles the signal only after its
	// current command has ended, so the signal goes to the whole process group.
	script.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	script.Cancel = func() error { return syscall.Kill(-script.Process.Pid, syscall.SIGTERM) }
	script.WaitDelay = time.Minute
	if err := script.Run(); err != nil {
		return "", fmt.Errorf("%s: %w", baseRecipe, err)
	}
	made, err := checksum(ctx, image)
	if err != nil {
		return "", err
	}
	return made, atomicfile.Write(image+recordSuffix, []byte(describe(recipe, made)), 0o644, nil)
}
