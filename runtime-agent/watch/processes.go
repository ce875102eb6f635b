package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// children returns the process ids of what main has started and what still runs; none if
// main itself is gone. LocalAI starts nothing but backends: run.sh becomes the backend by
// exec, and what run.sh starts before that are not children of LocalAI's.
//
// It looks at every process of the machine, because the kernel's own list of children may
// leave one out while threads come and go (proc_pid_task(5)), and a backend that is
// overlooked would be ended.
func children(main int) []int {
	var pids []int
	processes, _ := filepath.Glob("/proc/[1-9]*/stat") // the pattern is right
	for _, path := range processes {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if parent, running := parentOf(pid); running && parent == main {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parentOf returns the parent of a process, and whether it has not ended yet: its parent may
// take a moment to collect one that has.
func parentOf(pid int) (parent int, running bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The name is in parentheses and may hold any character; state and parent follow.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
		return 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return parent, err == nil
}

// waitForEnd returns when one of the processes has ended, or with an error when ctx has.
// The kernel wakes it: there is nothing to do in between, for days.
func waitForEnd(ctx context.Context, pids ...int) error {
	var wake [2]int
	if err := unix.Pipe2(wake[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("wait for processes: %w", err)
	}
	defer unix.Close(wake[0])
	// Nobody reads it: what can be seen of it is that it was closed.
	stop := context.AfterFunc(ctx, func() { unix.Close(wake[1]) })
	defer func() {
		if stop() {
			unix.Close(wake[1])
		}
	}()
	waiting := []unix.PollFd{{Fd: int32(wake[0]), Events: unix.POLLIN}}
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if errors.Is(err, unix.ESRCH) {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("wait for process %d: %w", pid, err)
		}
		defer unix.Close(fd)
		waiting = append(waiting, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	for {
		_, err := unix.Poll(waiting, -1)
		if err == nil {
			return ctx.Err()
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for processes: %w", err)
		}
	}
}
