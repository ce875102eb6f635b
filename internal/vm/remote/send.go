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

// sendPart writes its input into a file from an offset on.
//
//go:embed send.sh
var sendPart string

const (
	// stuckTimeout is how long the machine may take nothing of a file. A slow disk that
	// writes what its memory held is given this time too.
	stuckTimeout = 10 * time.Minute
)

var errShort = errors.New("the connection to the machine ended early")

// retries is how many connections one file may use up. What restarts a network or an SSH
// server needs seconds.
var retries = retry.Policy{Failures: 5, Pause: 2 * time.Second, MaxPause: time.Minute}

// sendAll copies the file to part. When the connection is lost, the next one goes on
// where that one ended.
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

// resumeAt is how much of the file has arrived. Without an answer the bytes from the same
// place on are simply sent again.
func (m *Machine) resumeAt(ctx context.Context, part string, from *source, before int64) int64 {
	size, err := m.size(ctx, part)
	if err != nil || size > from.seen() {
		return before
	}
	return size
}

// send copies what follows the offset. The end of a cut connection looks like the end of
// the file to the machine, so it is asked how much it has.
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

// size is how much of part is on the machine.
func (m *Machine) size(ctx context.Context, part string) (int64, error) {
	out, err := m.Run(ctx, Script{Text: `wc -c <"$PART"`, Env: Env{"PART": part}, Timeout: time.Minute})
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(out), 10, 64)
}

// isFinal says that another connection would not help.
func isFinal(err error) bool {
	failure := new(Failure)
	return errors.As(err, &failure) && !failure.lost() || errors.As(err, new(*readError))
}
