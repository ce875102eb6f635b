package sftp

import (
	"context"
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// retries allows for a connection that breaks often but makes some progress each time: 20 GB
// in pieces of 70 MB.
var retries = retry.Policy{Failures: 5, Attempts: 300, Pause: time.Second, MaxPause: time.Minute}

// Send uploads file and returns its path on the front-end. A broken connection is
// re-established, and the upload resumed.
func (m *Method) Send(ctx context.Context, file transfer.File, say func(string)) (string, error) {
	u := &upload{Method: m, file: file, say: say}
	explain := func(failure string) { u.note("the connection failed" + u.kept() + ": " + failure) }
	err := m.retries.Do(ctx, "sending", explain, func(ctx context.Context) error {
		before := u.reached
		err := u.attempt(ctx)
		if err == nil || !isTemporary(err) {
			return err
		}
		return &retry.TemporaryError{Err: err, Progress: u.reached > before}
	})
	switch {
	case err == nil:
		return m.target(file), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("upload of %s stopped%s: %w", file.Name, u.kept(), err)
	}
	return "", fmt.Errorf("upload %s to %s%s: %w", file.Name, m.options.address(), u.kept(), err)
}

// kept describes, for messages, what need not be sent again.
func (u *upload) kept() string {
	if u.reached == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s of it stay as %s)", progress.Bytes(u.reached), u.part(u.file))
}

func (u *upload) note(text string) { u.say("upload " + u.file.Name + ": " + text) }
