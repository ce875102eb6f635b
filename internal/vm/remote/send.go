package remote

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// sendPart writes its input into a file, starting at an offset.
//
//go:embed send.sh
var sendPart string

const (
	// stuckTimeout is how long the machine may accept no data. It also covers a slow disk that
	// flushes what was cached in memory.
	stuckTimeout = 10 * time.Minute
)

var errShort = errors.New("the connection to the machine ended early")

// retries limits how many connections one file may use up. A network or an SSH server that
// restarts needs seconds.
var retries = retry.Policy{Failures: 5, Pause: 2 * time.Second, MaxPause: time.Minute}

// sendAll copies the file to part. When the connection is lost, the next one continues where
// that one ended.
func (m *Machine) sendAll(ctx context.Context, part string, from *source) error {
	var offset int64
	lost := false
	return m.retries.Do(ctx, "sending", from.meter.Note, func(ctx context.Context) error {
		if lost {
			offset = m.resumeAt(ctx, part, from, offset)
		}
		err := m.send(ctx, part, from, offset)
		if err == nil || isFinal(err) {
			return err
		}
		lost = true
		return retry.Temporary(err)
	})
}

// resumeAt returns how much of the file has arrived. If the machine does not answer, sending
// simply restarts from the same offset as before.
func (m *Machine) resumeAt(ctx context.Context, part string, from *source, before int64) int64 {
	size, err := m.size(ctx, part)
	if err != nil || size > from.seen() {
		return before
	}
	return size
}

// send copies what follows the offset. To the machine, a cut connection looks like the end of
// the file, so it is asked how much it has.
func (m *Machine) send(ctx context.Context, part string, from *source, offset int64) error {
	out, err := m.Run(ctx, Script{
		Text:    sendPart,
		Env:     Env{"PART": part, "OFFSET": fmt.Sprint(offset), "SIZE": fmt.Sprint(from.size)},
		Input:   from.rest(offset),
		Timeout: stuckTimeout,
	})
	if broken := from.broken(); broken != nil {
		return broken
	}
	if err == nil && strings.TrimSpace(out) != fmt.Sprint(from.size) {
		err = errShort
	}
	return err
}

// size returns how many bytes of part are on the machine.
func (m *Machine) size(ctx context.Context, part string) (int64, error) {
	out, err := m.Run(ctx, Script{Text: `wc -c <"$PART"`, Env: Env{"PART": part}, Timeout: time.Minute})
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(out), 10, 64)
}

// isFinal reports whether another connection would not help.
func isFinal(err error) bool {
	failure := new(Failure)
	return errors.As(err, &failure) && !failure.lost() || errors.As(err, new(*readError))
}
