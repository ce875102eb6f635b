// Package remotetest is a test double of the machine being built: a Packer communicator that
// runs everything in a directory of this host, with the real shell and only harmless programs.
// It is never part of the plugin.
package remotetest

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
	"sync"
	"syscall"
	"testing"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/require"
)

// harmless are the host programs that scripts may really run. Everything else is either a stub
// or "not found", so that no script under test can change this host.
var harmless = strings.Fields(`sh cat cp dd df mv rm ln mkdir rmdir chmod touch truncate find tar gzip zstd
	sha256sum grep head tail cut tr wc sort basename dirname test true false printf sleep ls mktemp seq shred`)

// Machine is the double. Create one with New.
type Machine struct {
	// Root is the directory that stands for "/".
	Root string
	// Sabotage, if not nil, may change the input of an upload or make it fail.
	Sabotage func(path string, content []byte) ([]byte, error)

	t  testing.TB
	mu sync.Mutex
	// uploads are the paths in the order of upload.
	uploads []string
	// running are the commands, which end at the latest with the test.
	running sync.WaitGroup
	ended   context.Context
}

// New returns a machine with an empty root and the harmless programs.
func New(t testing.TB) *Machine {
	m := &Machine{Root: t.TempDir(), t: t}
	ended, end := context.WithCancel(context.Background())
	m.ended = ended
	// Of a connection that was cut, the command may go on for a moment, and write below Root.
	t.Cleanup(func() {
		m.mu.Lock()
		end()
		m.mu.Unlock()
		m.running.Wait()
	})
	require.NoError(t, os.MkdirAll(m.programs(), 0o755))
	for _, name := range harmless {
		program, err := exec.LookPath(name)
		require.NoError(t, err, "%s is missing on this host: run make setup", name)
		require.NoError(t, os.Symlink(program, filepath.Join(m.programs(), name)))
	}
	return m
}

func (m *Machine) programs() string  { return filepath.Join(m.Root, "programs") }
func (m *Machine) callsFile() string { return filepath.Join(m.Root, "calls") }

// Stub installs a program on the machine that records its call and then runs the shell text.
func (m *Machine) Stub(name, text string) {
	path := filepath.Join(m.programs(), name)
	require.NoError(m.t, os.RemoveAll(path))
	script := fmt.Sprintf("#!/bin/sh\necho %s \"$@\" >>'%s'\n%s\n", name, m.callsFile(), text)
	require.NoError(m.t, os.WriteFile(path, []byte(script), 0o755))
}

// Calls returns the calls of stubs so far, each as "name arguments".
func (m *Machine) Calls() []string {
	data, err := os.ReadFile(m.callsFile())
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(m.t, err)
	calls := strings.Split(strings.TrimSpace(string(data)), "\n")
	for i := range calls {
		calls[i] = strings.ReplaceAll(calls[i], m.Root, "")
	}
	return calls
}

// Uploads returns the paths uploaded so far.
func (m *Machine) Uploads() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.uploads...)
}

// Path returns the path on this host of an absolute path on the machine.
func (m *Machine) Path(path string) string { return filepath.Join(m.Root, path) }

// Write puts a file on the machine.
func (m *Machine) Write(path, content string) {
	require.NoError(m.t, os.MkdirAll(filepath.Dir(m.Path(path)), 0o755))
	require.NoError(m.t, os.WriteFile(m.Path(path), []byte(content), 0o644))
}

// Read returns the content of a file on the machine.
func (m *Machine) Read(path string) string {
	content, err := os.ReadFile(m.Path(path))
	require.NoError(m.t, err)
	return string(content)
}

// absolute matches the start of an absolute path: at the start of a word. Devices (but not
// disk names) and the shell in a first line are not changed.
var absolute = regexp.MustCompile(`(^|[\s'"=(<>])/([a-z])`)

// below moves every absolute path in a command to Root.
func (m *Machine) below(command string) string {
	moved := absolute.ReplaceAllString(command, "${1}"+m.Root+"/${2}")
	for _, kept := range []string{"/dev/null", "/dev/full", "/dev/zero", "/bin/sh"} {
		moved = strings.ReplaceAll(moved, m.Root+kept, kept)
	}
	return moved
}

// upload matches the command of internal/vm/remote that stores its input in a file.
var upload = regexp.MustCompile(`OFFSET=.* PART='([^']*)'`)

// Start runs the command with the real shell.
func (m *Machine) Start(ctx context.Context, cmd *packersdk.RemoteCmd) error {
	stdin := cmd.Stdin
	if sent := upload.FindStringSubmatch(cmd.Command); sent != nil && stdin != nil {
		var err error
		if stdin, err = m.receive(sent[1], stdin); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended.Err() != nil {
		return errors.New("the test has ended")
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(m.ended, cancel)
	shell := exec.CommandContext(ctx, "/bin/sh", "-c", m.below(cmd.Command))
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	shell.WaitDelay = time.Second // its input may never end
	shell.Env = []string{"PATH=" + m.programs(), "HOME=" + m.Path("/root")}
	shell.Dir = m.Root
	shell.Stdin, shell.Stdout, shell.Stderr = stdin, cmd.Stdout, cmd.Stderr
	if err := shell.Start(); err != nil {
		cancel()
		return err
	}
	m.running.Go(func() {
		defer cancel()
		_ = shell.Wait()
		cmd.SetExited(shell.ProcessState.ExitCode())
	})
	return nil
}

// receive records an upload and applies Sabotage.
func (m *Machine) receive(path string, stdin io.Reader) (io.Reader, error) {
	m.mu.Lock()
	if !slices.Contains(m.uploads, path) {
		m.uploads = append(m.uploads, path)
	}
	m.mu.Unlock()
	if m.Sabotage == nil {
		return stdin, nil
	}
	content, err := io.ReadAll(stdin)
	if err != nil {
		return nil, err
	}
	content, err = m.Sabotage(path, content)
	return bytes.NewReader(content), err
}

var errUnused = errors.New("not used by the appliance tools")

// Upload is not used.
func (*Machine) Upload(string, io.Reader, *os.FileInfo) error { return errUnused }

// UploadDir is not used.
func (*Machine) UploadDir(string, string, []string) error { return errUnused }

// Download reads a file below Root.
func (m *Machine) Download(path string, w io.Writer) error {
	content, err := os.ReadFile(m.Path(path))
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}

// DownloadDir is not used.
func (*Machine) DownloadDir(string, string, []string) error { return errUnused }
