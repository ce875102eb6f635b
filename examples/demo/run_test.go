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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// demo-run is for people: what it prints must work when pasted, and Ctrl-C must end it.
func testDemoRun(t *testing.T, made demo) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "demo-run")
	compile := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/demo-run")
	compile.Dir = top(t)
	output, err := compile.CombinedOutput()
	require.NoError(t, err, "%s", output)

	ctx, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, program, made.image)
	command.Dir = top(t)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 2 * time.Minute
	command.Stderr = os.Stderr
	pipe, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())

	pasted(ctx, t, readUntil(t, pipe, "Ctrl-C stops it."))

	require.NoError(t, command.Process.Signal(syscall.SIGINT))
	rest, err := io.ReadAll(pipe)
	require.NoError(t, err)
	assert.NoError(t, command.Wait(), "%s", rest)
	assert.Empty(t, processesNaming(t, made.image), "left running")
}

// readUntil returns the output up to and including the line end.
func readUntil(t *testing.T, pipe io.Reader, end string) string {
	t.Helper()
	var text strings.Builder
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if lines.Text() == end {
			return text.String()
		}
	}
	require.Fail(t, "the program ended early", text.String())
	return ""
}

// pasted runs all instructions that are meant for a shell. aider is a stub, and so is
// Python, because Debian has no package of OpenAI's library for it.
func pasted(ctx context.Context, t *testing.T, text string) {
	t.Helper()
	assert.NotContains(t, text, "reset by peer", "a boot like any other looks like a failure")
	assert.Contains(t, text, " when verified)", "the report beside the image is not read")
	_, script, found := strings.Cut(text, "\n# ")
	require.True(t, found, text)
	script = "# " + strings.TrimSuffix(script, "Ctrl-C stops it.\n")
	shell := exec.CommandContext(ctx, "sh", "-euc", "aider() { echo aider; }\npython3() { echo python; }\n"+script)
	shell.Dir = t.TempDir()
	installOpenAI(ctx, t, shell.Dir)
	output, err := shell.CombinedOutput()
	require.NoError(t, err, "%s\n%s", script, output)
	assert.Regexp(t, `(?s)sha256 Fingerprint=.*"chat\.completion".*\npython\naider\n.*all \d+ checks of https://\S+ passed\n$`, string(output))
}

// installOpenAI installs OpenAI's library for Node.
func installOpenAI(ctx context.Context, t *testing.T, directory string) {
	t.Helper()
	require.NoError(t, os.CopyFS(directory, os.DirFS(filepath.Join(top(t), "runtime-agent/nginx/testdata/openai"))))
	install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = directory
	output, err := install.CombinedOutput()
	require.NoError(t, err, "%s", output)
}
