package builder

import (
	"bytes"
	"errors"
	"log"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
)

func TestWatcherExplainsWithEverythingItHeard(t *testing.T) {
	w := newWatcher(quiet())
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
	w := newWatcher(quiet())
	w.Error("Timeout waiting for SSH.")
	err := errors.New("run the machine: Timeout waiting for SSH.")
	assert.Equal(t, err, w.explain(err))
}

func TestWatcherLeavesTheLogAsItWas(t *testing.T) {
	previous := log.Writer()
	defer log.SetOutput(previous)
	var entries bytes.Buffer
	log.SetOutput(&entries)
	stop := newWatcher(quiet()).listen()
	log.Print("still logged")
	stop()
	assert.Contains(t, entries.String(), "still logged")
	assert.Same(t, &entries, log.Writer())
}

func TestWatcherDropsTheInvitationToVNC(t *testing.T) {
	var shown bytes.Buffer
	w := newWatcher(&packersdk.BasicUi{Writer: &shown, ErrorWriter: &shown})
	w.Message("The VM will be run headless, without a GUI: vnc://127.0.0.1:5900")
	assert.Empty(t, shown.String())
	w.Message("Done copying")
	assert.Contains(t, shown.String(), "Done copying")
}

func TestPrintable(t *testing.T) {
	assert.Equal(t, "[  OK  ] Started ssh…\tx\nlogin: ",
		printable([]byte("[\x1b[0;32m  OK  \x1b[0m] Started ssh…\tx\r\n\x1bc\x1b[?25hlogin: \x07")))
}
