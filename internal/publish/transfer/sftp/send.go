package sftp

import (
	"context"
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

const (
	// maxFailures is how often in a row an attempt may bring nothing new.
	maxFailures = 5
	// maxAttempts bounds a line that brings a little each time: 20 GB in pieces of 70 MB.
	maxAttempts = 300
)

// Send uploads file and returns its path on the front-end. A connection that breaks is
// made again, and the upload continued.
func (m *Method) Send(ctx context.Context, file transfer.File, say func(string)) (string, error) {
	u := &upload{Method: m, file: file, say: say}
	failures := 0
	for attempt := 1; ; attempt++ {
		before := u.reached
		err := u.attempt(ctx)
		switch {
		case err == nil:
			return m.target(file), nil
		case ctx.Err() != nil:
			return "", fmt.Errorf("upload of %s stopped%s: %w", file.Name, u.kept(), context.Cause(ctx))
		case !isTemporary(err):
			return "", fmt.Errorf("upload %s to %s%s: %w", file.Name, m.options.address(), u.kept(), err)
		}
		if u.reached > before {
			failures = 0
		}
		failures++
		if failures == maxFailures || attempt == maxAttempts {
			return "", fmt.Errorf("upload of %s failed %d times%s, at last: %w", file.Name, attempt, u.kept(), err)
		}
		pause := m.pause(failures)
		u.note(fmt.Sprintf("the connection failed%s: %v; trying again in %s (failure %d of %d)", u.kept(), err, pause, failures, maxFailures))
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// kept is for messages: what need not be sent again.
func (u *upload) kept() string {
	if u.reached == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s of it stay as %s)", progress.Bytes(u.reached), u.part(u.file))
}

func (u *upload) note(text string) { u.say("upload " + u.file.Name + ": " + text) }
