package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvmtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/instance"
)

func TestUsage(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run([]string{"-h"}, &out))
	assert.Equal(t, usage, out.String())
	for want, arguments := range map[string][]string{
		"name one image, not 0":                                                 nil,
		"name one image, not 2":                                                 {"a", "b"},
		"flag provided but not defined: -cpus":                                  {"-cpus", "2", "a"},
		`invalid value "much" for flag -memory: parse error`:                    {"-memory", "much", "a"},
		"-memory: must be at least 512 (MiB), with less no system boots; got 1": {"-memory", "1", "a"},
		"-memory: must be at least 512 (MiB), with less no system boots; got 1\nname one image, not 0": {"-memory", "1"},
	} {
		assert.EqualError(t, run(arguments, io.Discard), want+"\nsee demo-run -h", "%q", arguments)
	}
}

func TestTheReportBesideTheImageTellsWhatToExpect(t *testing.T) {
	image := filepath.Join(t.TempDir(), "demo.qcow2")
	expect := func(want instance.Config, model string) {
		t.Helper()
		want.Image, want.Accelerator = image, "tcg"
		got, err := asVerified(instance.Config{Image: image, Accelerator: "tcg", Model: model})
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	expect(instance.Config{Model: appliance.ModelID}, "")

	report := acceptance.Report{Model: "small", Accelerator: "tcg", Boots: []acceptance.Boot{{Ready: acceptance.Duration(time.Minute)}, {}}}
	write := func() {
		text, err := report.JSON()
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(strings.TrimSuffix(image, ".qcow2")+".verify.json", text, 0o600))
	}
	write()
	expect(instance.Config{Model: "small", UsualBoot: time.Minute}, "")
	expect(instance.Config{Model: "mine", UsualBoot: time.Minute}, "mine")
	report.Accelerator = "kvm"
	write()
	expect(instance.Config{Model: "small"}, "")

	require.NoError(t, os.WriteFile(strings.TrimSuffix(image, ".qcow2")+".verify.json", []byte("{"), 0o600))
	_, err := asVerified(instance.Config{Image: image})
	assert.ErrorContains(t, err, "demo.verify.json: unexpected end of JSON input")
}

func TestEveryMissingProgramIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := run([]string{"image.qcow2"}, io.Discard)
	assert.ErrorContains(t, err, "qemu-img is not installed")
	assert.ErrorContains(t, err, "xorriso is not installed")
}

// transcript is a writer that can be read while it is written to.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// start boots a guest with the given code. The channel receives the result of the run.
func start(t *testing.T, out io.Writer, code ...[]byte) <-chan error {
	t.Helper()
	image := qemuvmtest.Image(t, t.TempDir(), code...)
	t.Setenv("TMPDIR", t.TempDir())
	result := make(chan error, 1)
	go func() { result <- run([]string{"-memory", "512", image}, out) }()
	return result
}

func assertNothingLeft(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestCtrlCPowersDownAndLeavesNothing(t *testing.T) {
	out := new(transcript)
	result := start(t, out, qemuvmtest.Greet, qemuvmtest.AwaitButton, qemuvmtest.PowerOff, qemuvmtest.Halt)
	interruptAfter(t, out, "waiting for the system to boot")
	require.NoError(t, <-result)
	assert.Contains(t, out.String(), "Powering the virtual machine down")
	assert.NotContains(t, out.String(), "Pulling the plug.")
	assertNothingLeft(t)
}

func TestASecondCtrlCPullsThePlug(t *testing.T) {
	out := new(transcript)
	result := start(t, out, qemuvmtest.Greet, qemuvmtest.Halt)
	interruptAfter(t, out, "waiting for the system to boot")
	interruptAfter(t, out, "Powering the virtual machine down")
	require.NoError(t, <-result)
	assert.Contains(t, out.String(), "Pulling the plug.")
	assertNothingLeft(t)
}

// interruptAfter sends SIGINT once the text has been printed.
func interruptAfter(t *testing.T, out *transcript, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), text) }, time.Minute, time.Millisecond)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGINT))
}

func TestAGuestThatEndsIsReported(t *testing.T) {
	err := <-start(t, io.Discard, qemuvmtest.Greet, qemuvmtest.PowerOff, qemuvmtest.Halt)
	assert.ErrorContains(t, err, "the guest powered itself off")
	assertNothingLeft(t)
}

func TestAMissingImageIsNamed(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	assert.ErrorContains(t, run([]string{"none.qcow2"}, io.Discard), "none.qcow2: no such file or directory")
	assertNothingLeft(t)
}
