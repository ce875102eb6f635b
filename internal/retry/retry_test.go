package retry

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errCut = errors.New("the connection was cut")

var policy = Policy{Failures: 3, Attempts: 6, Pause: time.Second, MaxPause: 4 * time.Second}

// try returns what came of the attempts, what was said, and how many there were. An attempt
// too many succeeds.
func try(ctx context.Context, outcomes ...error) (said []string, attempts int, err error) {
	err = policy.Do(ctx, "reading", func(line string) { said = append(said, line) }, func(context.Context) error {
		attempts++
		if attempts > len(outcomes) {
			return nil
		}
		return outcomes[attempts-1]
	})
	return said, attempts, err
}

func TestDo(t *testing.T) {
	progress := &TemporaryError{Err: errCut, Progress: true}
	final := errors.New("no such file")
	tests := map[string]struct {
		outcomes []error
		attempts int
		err      string
	}{
		"the first attempt succeeds":            {nil, 1, ""},
		"another attempt succeeds":              {[]error{Temporary(errCut), Temporary(errCut)}, 3, ""},
		"a failure for good ends it":            {[]error{Temporary(errCut), final}, 2, "no such file"},
		"so many failures in a row end it":      {[]error{Temporary(errCut), Temporary(errCut), Temporary(errCut)}, 3, "reading failed 3 times, at last: the connection was cut"},
		"progress starts the count again":       {[]error{Temporary(errCut), Temporary(errCut), progress, Temporary(errCut), nil}, 5, ""},
		"all attempts together are bounded too": {[]error{progress, progress, progress, progress, progress, progress}, 6, "reading failed 6 times, at last: the connection was cut"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said, attempts, err := try(t.Context(), test.outcomes...)
				assert.Equal(t, test.attempts, attempts)
				assert.Len(t, said, attempts-1)
				if test.err == "" {
					assert.NoError(t, err)
				} else {
					assert.EqualError(t, err, test.err)
				}
			})
		})
	}
}

func TestTheErrorIsOnesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, err := try(t.Context(), Temporary(errCut), Temporary(errCut), Temporary(errCut))
		assert.ErrorIs(t, err, errCut)
		assert.NotErrorAs(t, err, new(*TemporaryError), "a policy around this one would try again")
	})
}

func TestPausesDoubleUpToTheLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		started := time.Now()
		_ = Policy{Failures: 6, Pause: time.Second, MaxPause: 4 * time.Second}.Do(t.Context(), "reading", func(string) {}, func(context.Context) error {
			at = append(at, time.Since(started))
			return Temporary(errCut)
		})
		require.Len(t, at, 6)
		for i, pause := range []time.Duration{1, 2, 4, 4, 4} {
			assert.InDelta(t, pause*time.Second, at[i+1]-at[i], float64(pause*time.Second/4)+1)
		}
	})
}

func TestWhatTheOtherSideAsksForIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		said, _, err := try(t.Context(), &TemporaryError{Err: errCut, After: 90 * time.Second})
		require.NoError(t, err)
		assert.Equal(t, 90*time.Second, time.Since(started))
		assert.Equal(t, []string{"the connection was cut; trying again in 1m30s (failure 1 of 3)"}, said)
	})
}

func TestAShortWishDoesNotShortenThePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		short := &TemporaryError{Err: errCut, After: time.Millisecond}
		_, _, err := try(t.Context(), short, short)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(started), 3*time.Second*3/4, "one second and two, each a quarter shorter at most")
	})
}

func TestTheEndOfTheContextEndsIt(t *testing.T) {
	stopped := errors.New("stopped by the user")
	t.Run("in a pause", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(100*time.Millisecond, func() { cancel(stopped) })
			_, attempts, err := try(ctx, Temporary(errCut))
			assert.ErrorIs(t, err, stopped)
			assert.Equal(t, 1, attempts)
		})
	})
	t.Run("in an attempt", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		err := policy.Do(ctx, "reading", func(string) {}, func(ctx context.Context) error {
			cancel(stopped)
			return Temporary(fmt.Errorf("read: %w", ctx.Err()))
		})
		assert.Equal(t, stopped, err)
	})
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		require.NoError(t, Sleep(t.Context(), time.Hour))
		assert.Equal(t, time.Hour, time.Since(started))

		stopped := errors.New("stopped by the user")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(stopped) })
		assert.Equal(t, stopped, Sleep(ctx, time.Hour))
		assert.Equal(t, time.Hour+time.Second, time.Since(started))
	})
}
