package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
)

const (
	// packerModule pins the version of Packer to compile if none is installed.
	packerModule  = "internal/tools/packer"
	packerPackage = "github.com/hashicorp/packer"
	packerLink    = toolsDirectory + "/packer"
	// toolsDirectory comes first in the PATH of make's recipes.
	toolsDirectory = ".tools/bin"
	// minimumPacker is the minor version of the first Packer 1.x that finds plugins only by
	// the layout of pluginDirectory.
	minimumPacker = 11
)

// packer puts a Packer into .tools/bin: the installed one if it is recent enough, or else
// one compiled from the Go module proxy.
func (s *setup) packer(ctx context.Context) error {
	if found, err := exec.LookPath("packer"); err == nil && !s.isOurs(found) && usable(ctx, found) {
		return link(found, packerLink)
	}
	return s.tool(ctx, program{module: packerModule, source: packerPackage})
}

// isOurs reports whether a program, or the target of its link, was compiled by this
// command. Such a Packer does not count as installed, since another version may be required
// by now.
func (s *setup) isOurs(path string) bool {
	target, err := filepath.EvalSymlinks(path)
	return err == nil && strings.HasPrefix(target, s.cache+string(filepath.Separator))
}

func (s *setup) tools(ctx context.Context, programs []program) error {
	for _, p := range programs {
		if err := s.tool(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// tool puts a program of another module into .tools/bin. It is compiled once for all
// checkouts of this user, and again when the module requires another version.
func (s *setup) tool(ctx context.Context, p program) error {
	pin, err := modulePin(p.module)
	if err != nil {
		return err
	}
	name := filepath.Base(p.source)
	p.output, p.strip = filepath.Join(s.cache, name+"-"+pin, name), true
	if _, err := os.Stat(p.output); err != nil {
		if err := s.compile(ctx, name, p); err != nil {
			return err
		}
	}
	return link(p.output, filepath.Join(toolsDirectory, name))
}

// modulePin returns a hash that changes whenever the module's requirements change.
func modulePin(module string) (string, error) {
	var both []byte
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		both = append(both, text...)
	}
	return fmt.Sprintf("%x", sha256.Sum256(both))[:12], nil
}

var packerVersion = regexp.MustCompile(`(?m)^Packer v1\.(\d+)\.`)

// usable reports whether path is a Packer that runs on this machine and is recent enough.
func usable(ctx context.Context, path string) bool {
	command := exec.CommandContext(ctx, path, "version")
	command.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1")
	output, err := command.Output()
	fields := packerVersion.FindSubmatch(output)
	if err != nil || fields == nil {
		return false
	}
	minor, err := strconv.Atoi(string(fields[1]))
	return err == nil && minor >= minimumPacker
}

// link makes name a symbolic link to target, unless both are the same path.
func link(target, name string) error {
	absolute, err := filepath.Abs(target)
	if err != nil {
		return err
	}
	own, err := filepath.Abs(name)
	if err != nil || own == absolute {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return atomicfile.Link(absolute, name)
}
