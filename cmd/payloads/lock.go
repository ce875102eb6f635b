package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// lock writes the digests it has found even if others could not be found, or if it is
// interrupted.
func lock(ctx context.Context, path string, update bool) error {
	lock, err := lockfile.Read(path)
	if err != nil {
		return err
	}
	before := slices.Clone(lock.Inputs)
	cache, err := packersdk.CachePath(appliance.Name)
	if err != nil {
		return err
	}
	pinning := tools(cache)
	pinning.Update = update
	failed := pinning.Pin(ctx, &lock)
	if slices.Equal(before, lock.Inputs) {
		return failed
	}
	if err := lockfile.Write(path, lock); err != nil {
		return errors.Join(failed, err)
	}
	fmt.Printf("%s: written\n", path)
	return failed
}
