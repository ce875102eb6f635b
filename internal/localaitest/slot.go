package localaitest

import (
	"context"
	"time"
)

// slot is where the backend of a model computes, one answer at a time (parallel: 1). It keeps
// what it has read and written, and reads of the next prompt only what comes after the part that
// both share.
type slot struct {
	// taken holds a value while an answer is computed. Who waits for it is served in turn.
	taken chan struct{}
	// cached and saved are used by who has taken the slot.
	cached []byte
	saved  savedPrompts
}

func newSlots(options Options) map[string]*slot {
	slots := map[string]*slot{}
	for _, model := range options.Models {
		slots[model.Name] = &slot{taken: make(chan struct{}, 1), saved: savedPrompts{room: options.CacheRAM}}
	}
	return slots
}

// take waits until the slot is free.
func (s *slot) take(ctx context.Context) error {
	select {
	case s.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slot) leave() { <-s.taken }

// forget is for a backend that has ended: the next one knows nothing.
func (s *slot) forget(ctx context.Context) {
	if s.take(ctx) != nil {
		return
	}
	s.lose()
	s.leave()
}

// lose is for who has taken the slot of a backend that has ended.
func (s *slot) lose() { s.cached, s.saved.prompts = nil, nil }

// readingSteps is how often in a second of reading a dead backend or a client that left is
// noticed.
const readingSteps = 20

// read reads a prompt at a speed in tokens (bytes) a second, 0 for no time at all, and returns
// how many it has read; check is called between.
func (s *slot) read(ctx context.Context, prompt string, speed int, check func() error) (int, error) {
	s.cached = s.saved.change(s.cached, prompt)
	// The last token is always read: it gives the first one of the answer.
	shared := min(commonPrefix(s.cached, prompt), max(0, len(prompt)-1))
	rest := len(prompt) - shared
	if speed == 0 {
		s.cached = append(s.cached[:shared], prompt[shared:]...)
		return rest, nil
	}
	s.cached = s.cached[:shared]
	for read := 0; read < rest; {
		n := min(rest-read, max(1, speed/readingSteps))
		if err := wait(ctx, time.Duration(n)*time.Second/time.Duration(speed)); err != nil {
			return read, err
		}
		if err := check(); err != nil {
			s.lose()
			return read, err
		}
		s.cached = append(s.cached, prompt[shared+read:shared+read+n]...)
		read += n
	}
	return rest, nil
}

func commonPrefix[Text string | []byte](a []byte, b Text) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// wait waits for a time, or until the client is gone.
func wait(ctx context.Context, delay time.Duration) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
