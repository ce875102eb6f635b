package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

const (
	// packerModule pins the Packer that is compiled where there is none.
	packerModule = "internal/tools/packer"
	packerLink   = ".tools/bin/packer"
	// minimumPacker is the first 1.x that finds plugins by the directories pluginDirectory
	// is made of, and no other way.
	minimumPacker = 11
)

// packer puts a Packer into .tools/bin: the machine's own if it is new enough, else one
// compiled from the Go module proxy, once for all checkouts of this user.
func (s *setup) packer(ctx context.Context) error {
	if found, err := exec.LookPath("packer"); err == nil && usable(ctx, found) {
		return link(found, packerLink)
	}
	pin, err := packerPin()
	if err != nil {
		return err
	}
	compiled := filepath.Join(s.cache, "packer-"+pin, "packer")
	if !usable(ctx, compiled) {
		err := s.compile(ctx, "Packer", program{
			module: packerModule, source: "github.com/hashicorp/packer", output: compiled, strip: true,
		})
		if err != nil {
			return err
		}
	}
	return link(compiled, packerLink)
}

// packerPin changes whenever another Packer is asked for.
func packerPin() (string, error) {
	var both []byte
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(packerModule, name))
		if err != nil {
			return "", err
		}
		both = append(both, text...)
	}
	return fmt.Sprintf("%x", sha256.Sum256(both))[:12], nil
}

var packerVersion = regexp.MustCompile(`(?m)^Packer v1\.(\d+)\.`)

// usable says whether path is a Packer that runs on this machine and is new enough.
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

// link makes name a link to target, whatever it was before.
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
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(absolute, name)
}
