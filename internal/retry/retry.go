// Package retry makes again what failed for a reason that passes: with growing pauses, a
// bounded number of times, and every failure said.
package retry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Policy bounds the attempts.
type Policy struct {
	// Failures is how many in a row end it.
	Failures int
	// Attempts bounds all of them, where some make progress; 0 leaves it to Failures.
	Attempts int
	// Pause comes after the first failure and doubles with each further one in a row, up
	// to MaxPause. Chance makes each up to a quarter longer or shorter, so that those who
	// failed together do not come back together.
	Pause, MaxPause time.Duration
}

// TemporaryError marks a failure that another attempt may not meet. What is wrapped around
// it is not said.
type TemporaryError struct {
	Err error
	// Progress says that the attempt brought something that need not be done again.
	Progress bool
	// After is how long the other side asked to be left alone, 0 if it did not.
	After time.Duration
}

// Temporary marks err as one that another attempt may not meet.
func Temporary(err error) error { return &TemporaryError{Err: err} }

func (e *TemporaryError) Error() string { return e.Err.Error() }

func (e *TemporaryError) Unwrap() error { return e.Err }

// Do makes attempts until one succeeds, fails for good, or ctx ends, whose cause is
// returned then. what is attempted names it in the error after too many failures; say
// hears of each failure that is followed by another attempt.
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

// run is one use of a policy.
type run struct {
	Policy
	what               string
	pauses             backoff.ExponentialBackOff
	failures, attempts int
	last               *TemporaryError
}

// Reset is called before the first attempt.
func (r *run) Reset() { r.pauses.Reset() }

// NextBackOff gives the pause after the last failure: the policy's, or the one that was
// asked for if that is longer.
func (r *run) NextBackOff() time.Duration { return max(r.pauses.NextBackOff(), r.last.After) }

// attempt translates what came of one attempt into the terms of backoff.
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

// Sleep returns after the pause, or with the cause when ctx ends.
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
