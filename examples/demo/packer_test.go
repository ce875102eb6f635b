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

// buildTimeout limits one run of packer, on two cores without virtualization.
const buildTimeout = 25 * time.Minute

// top returns the top of the repository, to which the paths in the example are relative.
func top(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../..")
	require.NoError(t, err)
	return path
}

// outputDirectory returns a directory on the file system of the repository, because the
// temporary directory may be small, and because a catalog then links images instead of
// copying them.
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

// packer returns a packer build command that has not been started.
func packer(ctx context.Context, t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	binary := filepath.Join(top(t), ".tools", "bin", "packer")
	require.FileExists(t, binary, "run make setup")
	command := exec.CommandContext(ctx, binary, append([]string{"build", "-color=false"}, arguments...)...)
	command.Dir = top(t)
	command.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "PACKER_PLUGIN_PATH="+filepath.Join(top(t), ".tools", "plugins"))
	// A separate process group, which gets what a terminal sends on Ctrl-C: Packer runs as
	// two processes and stops only if both get the signal.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return interrupt(command) }
	command.WaitDelay = time.Minute
	return command
}

func interrupt(command *exec.Cmd) error {
	return syscall.Kill(-command.Process.Pid, syscall.SIGINT)
}

// demoArguments build the demonstration into the directories of the test.
func demoArguments(made demo, more ...string) []string {
	return append(append([]string{"-var-file=.cache/demo/payloads.pkrvars.json"}, more...),
		"-var", "output_directory="+made.directory,
		"-var", "catalog_directory="+made.catalog,
		"examples/demo")
}

// build runs packer to its end and returns its output. It also prints the lines as they
// come, because this takes minutes, and silence looks like a hang.
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

// interruptAt runs packer, interrupts it once when a line contains text, and returns when
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

// processesNaming returns the command lines of running processes that contain text.
func processesNaming(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		// The process may have ended in the meantime.
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), text) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
