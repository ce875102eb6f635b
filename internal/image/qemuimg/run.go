// Package qemuimg runs qemu-img: it inspects disk images, creates overlays and compacts
// images. No other package runs that program.
package qemuimg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
)

// Program is the name of the tool on the PATH.
const Program = "qemu-img"

var distributionPackage = hostprogram.Package{Debian: "qemu-utils", Fedora: "qemu-img"}

// Available returns nil if qemu-img is installed, otherwise an error that says how to get it.
func Available() error {
	_, err := hostprogram.Find(Program, distributionPackage)
	return err
}

// run runs qemu-img; cancelling the context kills it.
func run(ctx context.Context, stdout io.Writer, args ...string) error {
	cmd, err := hostprogram.Command(ctx, Program, distributionPackage, args...)
	if err != nil {
		return err
	}
	cmd.Stdout = stdout
	return hostprogram.Run(ctx, cmd)
}

// exitStatus returns the exit status of the program, or -1 if it did not exit by itself.
func exitStatus(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// plain makes path absolute: qemu-img parses a relative name with a colon, such as "nbd:host",
// as a protocol and not as a file.
func plain(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the absolute path of %s: %w", path, err)
	}
	return absolute, nil
}
