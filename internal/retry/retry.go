// Package retry repeats what failed for a temporary reason: with growing pauses, a limited
// number of times, and a report of every failure.
package retry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Policy limits the attempts.
type Policy struct {
	// Failures is how many failures in a row end it.
	Failures int
	// Attempts limits the total, for attempts that make progress; 0 means no limit besides
	// Failures.
	Attempts int
	// Pause is the pause after the first failure; it doubles with each further one in a row,
	// up to MaxPause. A random jitter of up to a quarter keeps clients that failed together
	// from retrying together.
	Pause, MaxPause time.Duration
}

// TemporaryError marks a failure that may not occur in another attempt. Errors wrapped around
// it are not reported.
type TemporaryError struct {
	Err error
	// Progress is set if the attempt achieved something that need not be repeated.
	Progress bool
	// After is how long the other side asked to wait (Retry-After), 0 if it did not.
	After time.Duration
}

// Temporary marks err as a failure that may not occur in another attempt.
func Temporary(err error) error { return &TemporaryError{Err: err} }

func (e *TemporaryError) Error() string { return e.Err.Error() }

func (e *TemporaryError) Unwrap() error { return e.Err }

// Do makes attempts until one succeeds or fails for good, or until ctx ends, whose cause is
// returned then. what names the operation in the error after too many failures; say is called
// with each failure that is followed by another attempt.
func (p Policy) Do(ctx context.Context, what string, say func(string), attempt func(context.Context) error) error {
	r := run{Policy: p, what: what}
	r.pauses = backoff.ExponentialBackOff{InitialInterval: p.Pause, RandomizationFactor: 0.25, Multiplier: 2, MaxInterval: p.MaxPause}
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, r.attempt(ctx, attempt) },
		backoff.WithBackOff(&r), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(_ error, pause time.Duration) {
			say(fmt.Sprintf("%v; trying again in %s (failure %d of %d)", r.last.Err, pause.Round(time.Millisecond), r.failures, p.Failures))
		}))
	return err
}

// run is one execution of a policy.
type run struct {
	Policy
	what               string
	pauses             backoff.ExponentialBackOff
	failures, attempts int
	last               *TemporaryError
}

// Reset is called by backoff before the first attempt.
func (r *run) Reset() { r.pauses.Reset() }

// NextBackOff returns the pause after the last failure: the policy's, or the requested one if
// that is longer.
func (r *run) NextBackOff() time.Duration { return max(r.pauses.NextBackOff(), r.last.After) }

// attempt converts the result of one attempt to backoff's terms.
func (r *run) attempt(ctx context.Context, attempt func(context.Context) error) error {
	err := attempt(ctx)
	var temporary *TemporaryError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return backoff.Permanent(context.Cause(ctx))
	case !errors.As(err, &temporary):
		return backoff.Permanent(err)
	}
	if temporary.Progress {
		r.failures = 0
		r.pauses.Reset()
	}
	r.last = temporary
	r.failures++
	r.attempts++
	if r.failures == r.Failures || r.attempts == r.Attempts {
		return backoff.Permanent(fmt.Errorf("%s failed %d times, at last: %w", r.what, r.attempts, temporary.Err))
	}
	return err
}

// Sleep returns nil after the pause, or the cause when ctx ends.
func Sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
