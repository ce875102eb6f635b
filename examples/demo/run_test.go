package demo_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// demo-run is for people: what it prints must work as pasted, and Ctrl-C must end it.
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
	command.Dir = t.TempDir()
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 2 * time.Minute
	command.Stderr = os.Stderr
	pipe, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())

	text := readUntil(t, pipe, "--cacert")
	pasted(ctx, t, command.Dir, text)

	require.NoError(t, command.Process.Signal(syscall.SIGINT))
	rest, err := io.ReadAll(pipe)
	require.NoError(t, err)
	assert.NoError(t, command.Wait(), "%s", rest)
	assert.Empty(t, processesNaming(t, made.image), "left running")
}

func readUntil(t *testing.T, pipe io.Reader, end string) string {
	t.Helper()
	var text strings.Builder
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), end) {
			return text.String()
		}
	}
	require.Fail(t, "the program ended early", text.String())
	return ""
}

// pasted runs the curl lines of the instructions in a shell, in their order.
func pasted(ctx context.Context, t *testing.T, directory, text string) {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^\s*(curl (?:.*\\\n)*.*)$`).FindAllStringSubmatch(text, -1)
	require.NotEmpty(t, lines, text)
	var last string
	for _, line := range lines {
		shell := exec.CommandContext(ctx, "sh", "-c", line[1])
		shell.Dir = directory
		output, err := shell.CombinedOutput()
		require.NoError(t, err, "%s\n%s", line[1], output)
		last = string(output)
	}
	assert.Contains(t, last, `"chat.completion"`)
}
