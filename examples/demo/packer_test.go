package demo_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// buildTimeout bounds one run of packer on two cores without virtualization.
const buildTimeout = 25 * time.Minute

// top is the top of the repository, where the paths in the example start.
func top(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../..")
	require.NoError(t, err)
	return path
}

// outputDirectory lies on the file system of the repository: the machine's temporary
// directory may be small, and a catalog links images instead of copying them.
func outputDirectory(t *testing.T) string {
	t.Helper()
	dist := filepath.Join(top(t), "dist")
	require.NoError(t, os.MkdirAll(dist, 0o755))
	directory, err := os.MkdirTemp(dist, "test-")
	require.NoError(t, err)
	t.Cleanup(func() {
		if !t.Failed() {
			os.RemoveAll(directory)
		}
	})
	return directory
}

func prepare(t *testing.T) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "run", "./cmd/setup", "demo")
	command.Dir = top(t)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	require.NoError(t, command.Run())
}

// packer is a command line of packer build that is not started yet.
func packer(ctx context.Context, t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	binary := filepath.Join(top(t), ".tools", "bin", "packer")
	require.FileExists(t, binary, "run make setup")
	command := exec.CommandContext(ctx, binary, append([]string{"build", "-color=false"}, arguments...)...)
	command.Dir = top(t)
	command.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "PACKER_PLUGIN_PATH="+filepath.Join(top(t), ".tools", "plugins"))
	// A process group of its own, which is sent what a terminal sends on Ctrl-C: Packer
	// runs in two processes and heeds a signal only if both get it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return interrupt(command) }
	command.WaitDelay = time.Minute
	return command
}

func interrupt(command *exec.Cmd) error {
	return syscall.Kill(-command.Process.Pid, syscall.SIGINT)
}

// demoArguments build the demonstration into directories of the test's own.
func demoArguments(made demo, more ...string) []string {
	return append(append([]string{"-var-file=.cache/demo/payloads.pkrvars.json"}, more...),
		"-var", "output_directory="+made.directory,
		"-var", "catalog_directory="+made.catalog,
		"examples/demo")
}

// build runs packer to its end and returns what it said. Lines are passed on as they come:
// this takes minutes, and silence looks like a hang.
func build(t *testing.T, made demo) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	command := packer(ctx, t, demoArguments(made)...)
	var output strings.Builder
	command.Stdout = io.MultiWriter(&output, os.Stdout)
	command.Stderr = command.Stdout
	require.NoError(t, command.Run(), "see the output above")
	return output.String()
}

// interruptAt runs packer, sends it one interrupt when a line holds text, and returns once
// it has ended. Packer and its plugins use temporary for their temporary files.
func interruptAt(t *testing.T, text, temporary string, arguments ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	command := packer(ctx, t, arguments...)
	command.Env = append(command.Env, "TMPDIR="+temporary)
	pipe, err := command.StdoutPipe()
	require.NoError(t, err)
	command.Stderr = command.Stdout
	require.NoError(t, command.Start())

	var output strings.Builder
	seen := false
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		output.WriteString(lines.Text() + "\n")
		if !seen && strings.Contains(lines.Text(), text) {
			seen = true
			require.NoError(t, interrupt(command))
		}
	}
	err = command.Wait()
	require.True(t, seen, "%q was never said:\n%s", text, output.String())
	require.ErrorAs(t, err, new(*exec.ExitError), "an interrupted build must fail:\n%s", output.String())
}

// processesNaming returns the command lines of running processes that hold text.
func processesNaming(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		// A process may end while this looks.
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), text) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
