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
	return "", missing{program, from}
}

// missing is the error of a program that is not installed.
type missing struct {
	program string
	from    Package
}

func (m missing) Error() string {
	return fmt.Sprintf("%s is not installed: install the package %s", m.program, m.from)
}

// A Try uses programs on something small in an empty directory of its own.
type Try func(ctx context.Context, directory string) error

// TryOut makes every try, so that what does not work is known before it is needed, and all
// of it at once. What several tries miss is said once.
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

// Failed is the error of a try: what could not be done, the program that says its version
// when it is given a flag, and the package to look for another version of. A program that
// is missing is all there is to say.
func Failed(ctx context.Context, what string, err error, program, versionFlag string, from Package) error {
	if gone := (missing{}); errors.As(err, &gone) {
		return gone
	}
	return fmt.Errorf("%s fails on this host: %w\n  with %s; install another version of the package %s",
		what, err, version(ctx, program, versionFlag), from)
}

// version is the first line that a program says about itself.
func version(ctx context.Context, program, flag string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	path, err := Find(program, Package{})
	if err != nil {
		return program
	}
	cmd := exec.CommandContext(ctx, path, flag)
	cmd.WaitDelay = time.Second
	// Some programs say it as a complaint, some fail after it.
	said, _ := cmd.CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	if !strings.Contains(line, program) {
		return program + " (" + line + ")"
	}
	return line
}
