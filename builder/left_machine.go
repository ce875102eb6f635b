package builder

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pidFileName is the file in which QEMU writes its process id.
const pidFileName = "machine.pid"

// endLeftMachine kills the QEMU process that a killed build left running, found by its pid
// file. The caller holds the lock of the directory, so the build itself is gone.
func endLeftMachine(pidFile string) error {
	text, err := os.ReadFile(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		// QEMU did not write this, so there is no process to kill.
		return nil
	}
	// The pidfd keeps pointing to this process even if its id is reused before the kill.
	handle, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(handle)
	if !wrote(pid, pidFile) {
		return nil
	}
	return unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0)
}

// wrote reports whether the process was started with this pid file.
func wrote(pid int, pidFile string) bool {
	path, err := filepath.Abs(pidFile)
	if err != nil {
		return false
	}
	command, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return err == nil && bytes.Contains(command, []byte("\x00-pidfile\x00"+path+"\x00"))
}
