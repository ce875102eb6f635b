package builder

import (
	"bytes"
	"errors"
	"log"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/recordertest"
)

func TestWatcherExplainsWithEverythingItHeard(t *testing.T) {
	w := newWatcher(quiet(), newBuild(new(Config), quiet()))
	stop := w.listen()
	log.Printf("Qemu stderr: %s", "no such device: warp")
	log.Printf("Qemu stdout: %s", "chatter")
	stop()
	log.Printf("Qemu stderr: %s", "of another machine")
	w.Error("Error launching VM: Qemu failed to start.")
	w.Errorf("exit %d", 1)

	halted := errors.New("Build was halted.")
	err := w.explain(halted)
	assert.ErrorIs(t, err, halted)
	assert.EqualError(t, err, "Build was halted.\nError launching VM: Qemu failed to start.\nexit 1\nQEMU says: no such device: warp")
}

func TestWatcherRepeatsNothing(t *testing.T) {
	w := newWatcher(quiet(), newBuild(new(Config), quiet()))
	w.Error("Timeout waiting for SSH.")
	err := errors.New("run the machine: Timeout waiting for SSH.")
	assert.Equal(t, err, w.explain(err))
}

func TestWatcherLeavesTheLogAsItWas(t *testing.T) {
	previous := log.Writer()
	defer log.SetOutput(previous)
	var entries bytes.Buffer
	log.SetOutput(&entries)
	stop := newWatcher(quiet(), newBuild(new(Config), quiet())).listen()
	log.Print("still logged")
	stop()
	assert.Contains(t, entries.String(), "still logged")
	assert.Same(t, &entries, log.Writer())
}

func TestWatcherDropsTheInvitationToVNC(t *testing.T) {
	var shown bytes.Buffer
	w := newWatcher(&packersdk.BasicUi{Writer: &shown, ErrorWriter: &shown}, newBuild(new(Config), quiet()))
	w.Message("The VM will be run headless, without a GUI: vnc://127.0.0.1:5900")
	assert.Empty(t, shown.String())
	w.Message("Done copying")
	assert.Contains(t, shown.String(), "Done copying")
}

func TestWatcherSaysWhichDirectoryIsDeleted(t *testing.T) {
	var shown bytes.Buffer
	w := newWatcher(&packersdk.BasicUi{Writer: &shown, ErrorWriter: &shown}, newBuild(&Config{OutputDirectory: "dist/demo"}, quiet()))
	w.Say("Deleting output directory...")
	assert.Equal(t, "Deleting the working directory of this unfinished build, dist/demo.partial; what was finished before stays\n", shown.String())
}

// sayUI is a Ui that records only what is passed to Say.
type sayUI struct {
	packersdk.Ui
	*recordertest.Lines
}

func (u sayUI) Say(line string) { u.Lines.Say(line) }

// endingUI looks whether anything is said while it shows what ends a wait.
type endingUI struct {
	sayUI
	t *testing.T
}

func (u endingUI) Say(line string) {
	lines := len(u.All())
	if line == "Connected to SSH!" {
		assert.Never(u.t, func() bool { return len(u.All()) != lines }, 30*time.Millisecond, time.Millisecond, "the wait goes on")
	}
	u.sayUI.Say(line)
}

func TestAWaitEndsBeforeWhatEndsItIsSaid(t *testing.T) {
	t.Chdir(t.TempDir())
	work := newBuild(decoded(t, map[string]any{"base_image": "x.qcow2", "base_image_checksum": someChecksum}), quiet())
	work.sayInterval = time.Millisecond
	w := newWatcher(endingUI{sayUI{quiet(), new(recordertest.Lines)}, t}, work)
	w.Say("Waiting for SSH to become available...")
	w.Say("Connected to SSH!")
}

func TestWatcherIsNeverSilent(t *testing.T) {
	t.Chdir(t.TempDir())
	work := newBuild(decoded(t, map[string]any{"base_image": "x.qcow2", "base_image_checksum": someChecksum}), quiet())
	work.sayInterval = time.Millisecond
	require.NoError(t, os.MkdirAll(work.config.partialDirectory(), 0o755))
	require.NoError(t, os.WriteFile(work.serialLog(), []byte("[    0.0] Linux\r\n\x1b[32m  OK  \x1b[0m"+strings.Repeat("ü", 99)+"\r\n\r\n"), 0o644))
	for silence, want := range map[string]string{
		"Waiting for SSH to become available...": "Still waiting for SSH, for 0s now; the console's last line: OK  ü",
		"Gracefully halting virtual machine...":  "Still waiting for the machine to power off, for 0s now; ",
	} {
		var said recordertest.Lines
		w := newWatcher(sayUI{quiet(), &said}, work)
		w.Say(silence)
		require.Eventually(t, func() bool { return strings.Contains(said.Text(), want) }, waitLimit, time.Millisecond, said.Text)
		w.Say("Connected to SSH!")
		assert.Equal(t, "Connected to SSH!", said.All()[len(said.All())-1])
		lines := len(said.All())
		w.close()
		w.Say(silence)
		assert.Never(t, func() bool { return len(said.All()) != lines+1 }, 30*time.Millisecond, time.Millisecond, "nothing is awaited any more")
		assert.True(t, utf8.ValidString(said.Text()))
	}
}

func TestPrintable(t *testing.T) {
	assert.Equal(t, "[  OK  ] Started ssh…\tx\nlogin: ",
		printable([]byte("[\x1b[0;32m  OK  \x1b[0m] Started ssh…\tx\r\n\x1bc\x1b[?25hlogin: \x07")))
}
