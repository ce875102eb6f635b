package imageinspect

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// fileSystem is an ext file system in a raw disk, read without mounting it.
type fileSystem struct {
	// directory holds the disk, which is called diskName.
	directory string
	// offset is where the file system starts in it, in bytes.
	offset int64
}

// diskName is the name of the raw disk: a plain one, because e2fsprogs take what follows
// a question mark for an option.
const diskName = "disk.raw"

// Available says what to install if the programs are missing that read a file system.
func Available() error {
	for _, name := range []string{"debugfs", "dumpe2fs"} {
		if _, err := find(name); err != nil {
			return err
		}
	}
	return nil
}

// find knows where Debian keeps programs for root, which need no root here.
func find(name string) (string, error) {
	for _, path := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("%s is not there: install the package e2fsprogs", name)
}

// command is a program of e2fsprogs. Its messages are not translated and go to stderr.
func (f fileSystem) command(ctx context.Context, stderr io.Writer, name string, arguments ...string) (*exec.Cmd, error) {
	program, err := find(name)
	if err != nil {
		return nil, err
	}
	arguments = append(arguments, fmt.Sprintf("%s?offset=%d", diskName, f.offset))
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir = f.directory
	command.Env = []string{"LC_ALL=C"}
	command.Stderr = stderr
	// It has no children; this only bounds the wait for its pipes.
	command.WaitDelay = 5 * time.Second
	return command, nil
}

// debugfs runs requests in one process and hands what it says about each to answer, which
// must read exactly that. Requests name files by their inode, so nothing is quoted.
func (f fileSystem) debugfs(ctx context.Context, requests []string, answer func(number int, r *bufio.Reader) error) error {
	var stderr bytes.Buffer
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	command, err := f.command(ctx, &stderr, "debugfs", "-f", "-")
	if err != nil {
		return err
	}
	command.Stdin = strings.NewReader(strings.Join(requests, "\n") + "\n")
	stdout, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start debugfs: %w", err)
	}
	err = readAnswers(stdout, requests, answer)
	// It would wait for ever to be read.
	stdout.Close()
	waitErr := command.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case complaint(stderr.String()) != "":
		return fmt.Errorf("read the file system: %s", complaint(stderr.String()))
	case err != nil:
		return fmt.Errorf("read the file system: %w", err)
	case waitErr != nil:
		return fmt.Errorf("read the file system: debugfs: %w", waitErr)
	}
	return nil
}

// readAnswers splits what debugfs says: before each answer it repeats the request.
func readAnswers(output io.Reader, requests []string, answer func(number int, r *bufio.Reader) error) error {
	r := bufio.NewReaderSize(output, 1<<20)
	for number, request := range requests {
		line, err := r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("debugfs ended before %q", request)
		}
		if line != "debugfs: "+request+"\n" {
			return fmt.Errorf("debugfs said %.80q before %q", line, request)
		}
		if err := answer(number, r); err != nil {
			return fmt.Errorf("%s: %w", request, err)
		}
	}
	return nil
}

// complaint is what debugfs said besides its name and version. It exits with 0 whatever
// happens.
func complaint(stderr string) string {
	var said []string
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "debugfs 1.") {
			said = append(said, line)
		}
	}
	const most = 3
	return strings.Join(said[:min(len(said), most)], "; ")
}
