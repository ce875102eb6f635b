package fetch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

const (
	// maxFailures is how often in a row an attempt may bring nothing new.
	maxFailures = 5
	// maxAttempts bounds a line that brings a little each time: 14 GB in pieces of 50 MB.
	maxAttempts = 300
	// maxPause bounds the growth of the pause between two attempts.
	maxPause = time.Minute
)

// download brings the payload into the cache. Whatever stops it, what has come stays for
// the next time, unless it proved to be wrong.
func (f *Fetcher) download(ctx context.Context, p Payload) (File, error) {
	d, err := f.openPart(ctx, p)
	if err != nil {
		return File{}, err
	}
	defer d.close()
	for afresh := false; ; afresh = true {
		if err := f.completePart(ctx, p, d); err != nil {
			return File{}, err
		}
		if p.Checksum == "" || d.digest() == p.digest() {
			return d.keep()
		}
		if !d.resumed || afresh {
			d.remove()
			return File{}, p.wrongChecksum(d.digest())
		}
		f.say(fmt.Sprintf("%s: %s came in pieces and they do not fit together: downloading it from the start", p.Field, p.base()))
		if err := d.restart(); err != nil {
			return File{}, err
		}
	}
}

// completePart makes attempts until all bytes are here.
func (f *Fetcher) completePart(ctx context.Context, p Payload, d *part) error {
	best, failures := d.here, 0
	for attempt := 1; !d.complete(); attempt++ {
		err := f.attempt(ctx, p, d)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("download of %s stopped%s: %w", p.shown(), d.kept(), context.Cause(ctx))
		}
		var temporary temporaryError
		if !errors.As(err, &temporary) {
			return err
		}
		if d.here > best {
			best, failures = d.here, 0
		}
		failures++
		if failures == maxFailures || attempt == maxAttempts {
			return fmt.Errorf("download of %s failed %d times%s, at last: %w", p.shown(), attempt, d.kept(), err)
		}
		pause := max(f.backoff(failures), temporary.after)
		f.say(fmt.Sprintf("%s: %v%s; trying again in %s (failure %d of %d)",
			p.Field, err, d.kept(), pause.Round(time.Millisecond), failures, maxFailures))
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("download of %s stopped%s: %w", p.shown(), d.kept(), err)
		}
	}
	// All was here already, and only its name was missing.
	return nil
}

// kept tells what of the payload is here, for messages about a failure.
func (d *part) kept() string {
	switch {
	case d.here == 0:
		return ""
	case d.Size == 0:
		return fmt.Sprintf(" (%s are kept)", progress.Bytes(d.here))
	}
	return fmt.Sprintf(" (%s of %s are kept)", progress.Bytes(d.here), progress.Bytes(d.Size))
}

// backoff doubles with each failure. The part left to chance keeps builds that failed
// together from coming back together.
func (f *Fetcher) backoff(failures int) time.Duration {
	pause := min(f.pause<<(failures-1), maxPause)
	return pause/2 + rand.N(pause/2+1)
}
