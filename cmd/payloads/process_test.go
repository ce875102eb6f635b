package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var modified = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// asCommand is an environment variable that makes the test binary act as the command.
const asCommand = "PAYLOADS_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a run of the command, in a directory of its own.
type process struct {
	*exec.Cmd
	out, err transcript
}

// transcript is the output of a process, which can be read while the process writes.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// start starts the command, with its caches below dir.
func start(t *testing.T, dir string, arguments ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0], arguments...)}
	p.Dir = dir
	p.Env = append(os.Environ(), asCommand+"=1", "PACKER_CACHE_DIR="+filepath.Join(dir, "cache"))
	p.Stdout, p.Stderr = &p.out, &p.err
	require.NoError(t, p.Start())
	return p
}

// end waits for the process, checks that its output does not contain the secret, and
// returns the exit status.
func (p *process) end(t *testing.T) int {
	t.Helper()
	err := p.Wait()
	assert.NotContains(t, p.out.String()+p.err.String(), secret)
	if failed := new(exec.ExitError); err != nil && !errors.As(err, &failed) {
		require.NoError(t, err)
	}
	return p.ProcessState.ExitCode()
}

// whole runs the command to its end and returns its standard output and error.
func whole(t *testing.T, dir string, want int, arguments ...string) (string, string) {
	t.Helper()
	p := start(t, dir, arguments...)
	code := p.end(t)
	require.Equal(t, want, code, "%s%s", p.out.String(), p.err.String())
	return p.out.String(), p.err.String()
}

// holdsNoSecret checks every file below dir.
func holdsNoSecret(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		assert.NotContains(t, string(content), secret, path)
		return err
	}))
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}
