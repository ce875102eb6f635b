package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// collect fills dir so that it can serve as PACKER_CACHE_DIR.
func collect(ctx context.Context, path, dir, arch string) error {
	if arch != "" && arch != "amd64" && arch != "arm64" {
		return fmt.Errorf("the architecture must be amd64 or arm64, not %q", arch)
	}
	lock, err := lockfile.Read(path)
	if err != nil {
		return err
	}
	size, err := tools(filepath.Join(dir, appliance.Name)).Collect(ctx, lock, arch)
	if err != nil {
		return err
	}
	fmt.Printf("%s: all of it is there, %s; with PACKER_CACHE_DIR=%s a build downloads none of it\n", dir, progress.Bytes(size), dir)
	return nil
}
