package fetch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// retries allows for a connection that breaks often but makes some progress each time: 14 GB
// in pieces of 50 MB.
var retries = retry.Policy{Failures: 5, Attempts: 300, Pause: time.Second, MaxPause: time.Minute}

// download downloads the payload to the cache. If it is interrupted, the bytes received so far
// are kept for the next run, unless they proved to be wrong.
func (f *Fetcher) download(ctx context.Context, p Payload) (File, error) {
	d, err := f.openPart(ctx, p)
	if err != nil {
		return File{}, err
	}
	defer func() { d.close(p) }()
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

// completePart makes attempts until the part is complete.
func (f *Fetcher) completePart(ctx context.Context, p Payload, d *part) error {
	if d.complete() {
		return nil // only its name was missing
	}
	best := d.here
	say := func(failure string) { f.say(p.Field + ": " + failure) }
	err := f.retries.Do(ctx, "download of "+p.shown(), say, func(ctx context.Context) error {
		began := time.Now()
		err := f.attempt(ctx, p, d)
		var temporary *retry.TemporaryError
		if !errors.As(err, &temporary) {
			return err
		}
		// A line that breaks often is followed for long, one that brings next to nothing is not.
		gained := d.here - best
		further := gained >= leastProgress || gained > 0 && time.Since(began) < f.stall/4
		best = max(best, d.here)
		return &retry.TemporaryError{Err: fmt.Errorf("%w%s", err, d.kept(p)), Progress: further, After: temporary.After}
	})
	if ctx.Err() != nil {
		return fmt.Errorf("download of %s stopped%s: %w", p.shown(), d.kept(p), err)
	}
	return err
}

// kept describes, for error messages, how much of the payload has been downloaded.
func (d *part) kept(p Payload) string {
	switch {
	case d.here == 0 || !d.continues(p):
		return ""
	case d.Size == 0:
		return fmt.Sprintf(" (%s are kept)", progress.Bytes(d.here))
	}
	return fmt.Sprintf(" (%s of %s are kept)", progress.Bytes(d.here), progress.Bytes(d.Size))
}
