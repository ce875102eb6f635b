// Package hostprogram finds the programs of this host that the tools run, and says which
// package to install where one is missing or does not work.
package hostprogram

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// Package is what brings a program, by the names that distributions give it.
type Package struct{ Debian, Fedora string }

// String completes "install the package".
func (p Package) String() string {
	if p.Debian == p.Fedora {
		return p.Debian + " (Debian, Ubuntu, Fedora)"
	}
	return fmt.Sprintf("%s (Debian, Ubuntu) or %s (Fedora)", p.Debian, p.Fedora)
}

// Find returns where a program is. It knows where programs for root lie, which need no root
// here. The error says what to install.
func Find(program string, from Package) (string, error) {
	for _, name := range []string{program, "/usr/sbin/" + program, "/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: install the package %s", program, from)
}

// A Try uses programs on something small in an empty directory of its own.
type Try func(ctx context.Context, directory string) error

// TryOut makes every try, so that what does not work is known before it is needed, and all
// of it at once.
func TryOut(ctx context.Context, tries ...Try) error {
	var errs []error
	for _, try := range tries {
		errs = append(errs, tryOut(ctx, try))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(errs...)
}

func tryOut(ctx context.Context, try Try) (err error) {
	directory, err := os.MkdirTemp("", appliance.Name+"-try-")
	if err != nil {
		return fmt.Errorf("try the programs of this host: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	return try(ctx, directory)
}

// Failed adds to the error of a try which program it was about: its version, and the package
// to look for another one in.
func Failed(ctx context.Context, err error, program string, from Package, versionFlag string) error {
	return fmt.Errorf("%s of this host does not do what is needed later: %w\n(its version: %s; install another one of the package %s)",
		program, err, version(ctx, program, versionFlag), from)
}

// version is the first line that a program says about itself.
func version(ctx context.Context, program, flag string) string {
	const unknown = "unknown"
	path, err := Find(program, Package{})
	if err != nil {
		return unknown
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	said, err := exec.CommandContext(ctx, path, flag).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	if err != nil && line == "" {
		return unknown
	}
	return line
}
