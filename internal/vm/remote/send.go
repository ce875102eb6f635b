package remote

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// sendPart writes its input into a file from an offset on.
//
//go:embed send.sh
var sendPart string

const (
	// tries is how many connections one file may use up.
	tries = 5
	// firstPause doubles after each try: what restarts a network or an SSH server needs
	// seconds.
	firstPause = 2 * time.Second
	// stuckTimeout is how long the machine may take nothing of a file. A slow disk that
	// writes what its memory held is given this time too.
	stuckTimeout = 10 * time.Minute
)

var errShort = errors.New("the connection to the machine ended early")

// sendAll copies the file to part. When the connection is lost, the next one goes on
// where that one ended.
func (m *Machine) sendAll(ctx context.Context, part string, from *source) error {
	arrived, pause := int64(0), m.firstPause
	for try := 1; ; try++ {
		err := m.send(ctx, part, from, arrived)
		switch {
		case err == nil || final(ctx, err):
			return err
		case try == tries:
			return fmt.Errorf("%w; given up after %d connections", err, tries)
		}
		from.meter.Note(fmt.Sprintf("%v; connection %d of %d in %s", err, try+1, tries, pause))
		if err := wait(ctx, pause); err != nil {
			return err
		}
		pause *= 2
		// Without an answer the bytes from the same place on are simply sent again.
		if size, err := m.size(ctx, part); err == nil && size <= from.seen() {
			arrived = size
		}
	}
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

// final says that another connection would not help.
func final(ctx context.Context, err error) bool {
	failure := new(Failure)
	return ctx.Err() != nil || errors.As(err, &failure) && !failure.lost() || errors.As(err, new(*readError))
}

func wait(ctx context.Context, pause time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(pause):
		return nil
	}
}
