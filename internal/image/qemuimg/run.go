// Package qemuimg runs qemu-img: it reads what a disk image is, makes overlays and
// compacts images. No other package runs that program.
package qemuimg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
)

// Program is the name of the tool on the PATH.
const Program = "qemu-img"

var distributionPackage = hostprogram.Package{Debian: "qemu-utils", Fedora: "qemu-img"}

// Available says whether qemu-img is installed and, if not, how to get it.
func Available() error {
	_, err := hostprogram.Find(Program, distributionPackage)
	return err
}

// run starts qemu-img and waits for it; a cancelled context kills it.
func run(ctx context.Context, stdout io.Writer, args ...string) error {
	cmd, err := hostprogram.Command(ctx, Program, distributionPackage, args...)
	if err != nil {
		return err
	}
	cmd.Stdout = stdout
	err = hostprogram.Run(ctx, cmd)
	if failure := (hostprogram.Failure{}); errors.As(err, &failure) {
		failure.Said = strings.TrimPrefix(failure.Said, Program+": ")
		return failure
	}
	return err
}

// exitStatus is that of the finished program, or -1 if it never ran to its end.
func exitStatus(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// plain makes path absolute: qemu-img reads a relative name with a colon, such as
// "nbd:host", as a protocol and not as a file.
func plain(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the absolute path of %s: %w", path, err)
	}
	return absolute, nil
}
