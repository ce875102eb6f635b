// Package qemuimg runs qemu-img: it reads what a disk image is, makes overlays and
// compacts images. No other package runs that program.
package qemuimg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

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
	if err := Available(); err != nil {
		return err
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, Program, args...)
	cmd.Stdout, cmd.Stderr = stdout, &stderr
	// Qemu-img has no children; this only bounds the wait for its pipes.
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if message := strings.TrimSpace(stderr.String()); err != nil && message != "" {
		return failure{message: shorten(strings.TrimPrefix(message, Program+": ")), cause: err}
	}
	return err
}

// shorten keeps the beginning: for a damaged image qemu-img writes one line per cluster.
func shorten(message string) string {
	const most = 3
	lines := strings.Split(message, "\n")
	if len(lines) <= most {
		return message
	}
	return fmt.Sprintf("%s\n... and %d more lines", strings.Join(lines[:most], "\n"), len(lines)-most)
}

// failure shows what qemu-img said and unwraps to its exit status.
type failure struct {
	message string
	cause   error
}

func (f failure) Error() string { return f.message }
func (f failure) Unwrap() error { return f.cause }

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
