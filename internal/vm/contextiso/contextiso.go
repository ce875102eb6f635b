// Package contextiso writes the CONTEXT CD-ROM through which OpenNebula passes the context to
// a VM. No other package runs xorriso.
package contextiso

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/onecontext"
)

// Program is the tool that writes ISO 9660 images.
const Program = "xorriso"

var distributionPackage = hostprogram.Package{Debian: "xorriso", Fedora: "xorriso"}

// Available returns nil if xorriso is installed, otherwise an error that says how to get it.
func Available() error {
	_, err := hostprogram.Find(Program, distributionPackage)
	return err
}

// Write creates the image at path: context.sh with the given values, and further files keyed
// by name, such as token.txt. Values may be secret, so all files, the image included, are
// readable by the current user only. The image appears complete or not at all.
func Write(ctx context.Context, path string, values map[string]string, files map[string]string) (err error) {
	contents := maps.Clone(files)
	if contents == nil {
		contents = map[string]string{}
	}
	contents[appliance.ContextFile] = string(onecontext.Format(values))

	// os.MkdirTemp makes it accessible to the current user only.
	work, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write the CONTEXT image: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := write(ctx, work, contents); err != nil {
		return fmt.Errorf("write the CONTEXT image %s: %w", path, err)
	}
	return os.Rename(filepath.Join(work, image), path)
}

// File names in the working directory.
const (
	image = "image.iso"
	tree  = "tree"
)

func write(ctx context.Context, work string, contents map[string]string) error {
	if err := os.Mkdir(filepath.Join(work, tree), 0o700); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		if name != filepath.Base(name) || !filepath.IsLocal(name) {
			return fmt.Errorf("%q is not a plain file name", name)
		}
		if err := os.WriteFile(filepath.Join(work, tree, name), []byte(contents[name]), 0o600); err != nil {
			return err
		}
	}
	if err := master(ctx, work); err != nil {
		return err
	}
	return os.Chmod(filepath.Join(work, image), 0o600)
}

// master runs xorriso with the extensions oned asks mkisofs for: Rock Ridge (real names
// and modes) and Joliet.
func master(ctx context.Context, work string) error {
	cmd, err := hostprogram.Command(ctx, Program, distributionPackage, "-as", "genisoimage", "-quiet", "-rock", "-joliet",
		"-volid", appliance.ContextLabel, "-output", image, tree)
	if err != nil {
		return err
	}
	cmd.Dir = work
	err = hostprogram.Run(ctx, cmd)
	if errors.As(err, &hostprogram.Failure{}) {
		return fmt.Errorf("%s: %w", Program, err)
	}
	return err
}
