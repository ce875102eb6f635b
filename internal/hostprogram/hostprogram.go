// Package hostprogram finds the host programs that the tools run, and says which package to
// install if one is missing or does not work.
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

// Package is the package that contains a program, by its names in different distributions.
type Package struct{ Debian, Fedora string }

// String returns the text that completes "install the package".
func (p Package) String() string {
	if p.Debian == p.Fedora {
		return p.Debian + " (Debian, Ubuntu, Fedora)"
	}
	return fmt.Sprintf("%s (Debian, Ubuntu) or %s (Fedora)", p.Debian, p.Fedora)
}

// Find returns the path of a program. It also searches the sbin directories, whose programs do
// not need root here. The error says which package to install.
func Find(program string, from Package) (string, error) {
	for _, name := range []string{program, "/usr/sbin/" + program, "/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", missing{program, from}
}

// missing is the error for a program that is not installed.
type missing struct {
	program string
	from    Package
}

func (m missing) Error() string {
	return fmt.Sprintf("%s is not installed: install the package %s", m.program, m.from)
}

// Try checks programs by using them on something small, in an empty directory of its own.
type Try func(ctx context.Context, directory string) error

// TryOut runs every try, so that everything that does not work is known, all at once, before
// it is needed. A program missing in several tries is reported once.
func TryOut(ctx context.Context, tries ...Try) error {
	var errs []error
	said := map[string]bool{}
	for _, try := range tries {
		if err := tryOut(ctx, try); err != nil && !said[err.Error()] {
			said[err.Error()] = true
			errs = append(errs, err)
		}
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

// Failed returns the error of a try: what could not be done, the version of the program
// (printed if it is called with versionFlag), and the package of which to look for another
// version. If the program is missing, the error says only that.
func Failed(ctx context.Context, what string, err error, program, versionFlag string, from Package) error {
	if gone := (missing{}); errors.As(err, &gone) {
		return gone
	}
	return fmt.Errorf("%s fails on this host: %w\n  with %s; install another version of the package %s",
		what, err, version(ctx, program, versionFlag), from)
}

// version returns the first line a program prints about itself.
func version(ctx context.Context, program, flag string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	path, err := Find(program, Package{})
	if err != nil {
		return program
	}
	cmd := exec.CommandContext(ctx, path, flag)
	cmd.WaitDelay = time.Second
	// Some programs print it on standard error, some fail after printing it.
	said, _ := cmd.CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	if !strings.Contains(line, program) {
		return program + " (" + line + ")"
	}
	return line
}
