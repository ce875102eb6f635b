package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/apply"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

// maxShown bounds the present content of a file, in bytes: those of the plan are much smaller.
const maxShown = 16 << 20

// preview shows what configure would do. It writes nothing, not even the secrets it would
// have made.
func (a app) preview(ctx context.Context, contextFile string) error {
	found, err := vmcontext.Find(ctx, a.root, contextFile, func(failure string) { fmt.Fprintln(a.stderr, failure) })
	if err != nil {
		return err
	}
	settings, err := a.sources().checked(found.Values)
	if err != nil {
		return fmt.Errorf("the context would be refused:\n%w", err)
	}
	in, err := a.sources().gather(settings, found)
	if err != nil {
		return err
	}
	owners, err := a.owners()
	if err != nil {
		return err
	}
	wanted := plan.Make(in)
	different, err := apply.Target{Root: a.root, Owners: owners}.Different(slices.Concat(wanted.Proxy, wanted.Rest))
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "context: %s\n", found.Source)
	for _, warning := range in.Warnings {
		fmt.Fprintf(a.stdout, "warning: %s\n", warning)
	}
	return show(ctx, a.stdout, a.root, different)
}

func show(ctx context.Context, out io.Writer, root string, entries []plan.Entry) error {
	var units []string
	for _, entry := range entries {
		units = append(units, entry.Units...)
		text, err := difference(ctx, root, entry)
		if err != nil {
			return err
		}
		fmt.Fprint(out, text)
	}
	slices.Sort(units)
	switch units = slices.Compact(units); {
	case len(entries) == 0:
		fmt.Fprintln(out, "nothing would change")
	case len(units) == 0:
		fmt.Fprintln(out, "no unit would be reloaded or restarted")
	default:
		fmt.Fprintf(out, "units that would be reloaded or restarted: %s\n", strings.Join(units, " "))
	}
	return nil
}

// difference is a heading and, where the content differs visibly, a unified diff.
func difference(ctx context.Context, root string, entry plan.Entry) (string, error) {
	path := filepath.Join(root, entry.Path)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && entry.LinkTo != "":
		return fmt.Sprintf("new link %s -> %s\n", entry.Path, entry.LinkTo), nil
	case errors.Is(err, os.ErrNotExist):
		text, err := unified(ctx, entry, nil)
		return fmt.Sprintf("new file %s, mode %#o\n%s", entry.Path, entry.Mode, text), err
	case err != nil:
		return "", err
	case entry.LinkTo != "":
		present, err := os.Readlink(path)
		return fmt.Sprintf("link %s -> %s, was -> %s\n", entry.Path, entry.LinkTo, present), err
	}
	present, err := guardedfile.Read(path, maxShown)
	if err != nil {
		return "", err
	}
	text, err := unified(ctx, entry, present)
	if text == "" {
		text = "(the difference is not shown: owner, mode or a secret)\n"
	}
	return fmt.Sprintf("file %s, mode %#o, was %#o\n%s", entry.Path, entry.Mode, info.Mode().Perm(), text), err
}

// unified has diff compare the two texts, secrets already hidden. Its package is essential in
// Debian and Ubuntu, so it is installed.
func unified(ctx context.Context, entry plan.Entry, present []byte) (string, error) {
	old, err := pipe(masked(entry.Hidden, present))
	if err != nil {
		return "", err
	}
	defer old.Close()
	wanted, err := pipe(masked(entry.Hidden, entry.Content))
	if err != nil {
		return "", err
	}
	defer wanted.Close()
	name := filepath.Base(entry.Path)
	command := exec.CommandContext(ctx, "diff", "-u", "--label", name, "--label", name, "/dev/fd/3", "/dev/fd/4")
	command.Env = []string{"PATH=/usr/bin:/bin"}
	command.ExtraFiles = []*os.File{old, wanted}
	var complaint bytes.Buffer
	command.Stderr = &complaint
	text, err := command.Output()
	var status *exec.ExitError
	if errors.As(err, &status) && status.ExitCode() == 1 {
		err = nil // they differ
	}
	if err != nil {
		return "", fmt.Errorf("compare %s: %w: %s", entry.Path, err, complaint.String())
	}
	return string(text), nil
}

func masked(secrets *regexp.Regexp, content []byte) []byte {
	if secrets == nil {
		return content
	}
	return secrets.ReplaceAll(content, []byte("***"))
}

// pipe returns the read end of a pipe that contains content, which thus never touches a disk.
func pipe(content []byte) (*os.File, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		_, _ = writer.Write(content)
		_ = writer.Close()
	}()
	return reader, nil
}
