package watch

import (
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
// exec, and what run.sh starts before that are no children of LocalAI's.
func children(main int) []int {
	var pids []int
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", main)) // the pattern is right
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has just ended
		}
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil && runs(pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// runs says whether a process is there and has not ended yet: LocalAI may take a moment to
// collect one that has.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// The name before the state is in parentheses and may hold any character.
	i := strings.LastIndex(string(stat), ") ")
	return i > 0 && !strings.HasPrefix(string(stat)[i:], ") Z")
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
