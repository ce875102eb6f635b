package cloud

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/onedtest"
)

// whole sets up a publication that makes every kind of change: it deletes an old version,
// and replaces another build of the same version.
func whole(t *testing.T) (oned *onedtest.Oned, f front, a Appliance, wanted Target) {
	t.Helper()
	oned, f = double(t)
	wanted = target()
	wanted.KeepVersions, wanted.ForceReplace = 1, true
	for _, version := range []string{"0.9.0", "1.0.0"} {
		all := wanted
		all.KeepVersions = 0
		_, _, err := f.run(t.Context(), t, newAppliance(t, "Copilot", version), all, never)
		require.NoError(t, err)
	}
	return oned, f, newAppliance(t, "Copilot", "1.0.0"), wanted
}

// calls returns the number of API calls before the publication, and after it.
func calls(t *testing.T) (before, after int) {
	oned, f, a, wanted := whole(t)
	before = len(oned.Calls())
	_, _, err := f.run(t.Context(), t, a, wanted, never)
	require.NoError(t, err)
	assertPublished(t, oned, f, a)
	after = len(oned.Calls())
	require.Greater(t, after-before, 30)
	return before, after
}

func TestAnyCallMayGetNoAnswer(t *testing.T) {
	before, after := calls(t)
	for name, fault := range map[string]onedtest.Fault{
		"cut before": onedtest.CutBefore, "answer lost": onedtest.LoseAnswer, "bad gateway": onedtest.BadGateway, "slow": onedtest.Slow,
	} {
		t.Run(name, func(t *testing.T) {
			for n := before; n < after; n++ {
				t.Run(fmt.Sprint(n-before), func(t *testing.T) {
					t.Parallel()
					oned, f, a, wanted := whole(t)
					oned.FailCall(len(oned.Calls())+n-before, fault)
					_, _, err := f.run(t.Context(), t, a, wanted, never)
					require.NoError(t, err)
					assertPublished(t, oned, f, a)
				})
			}
		})
	}
}

// assertOldVersionOr is for a run that failed: either the old app of the version or the new
// one must exist.
func assertOldVersionOr(t *testing.T, oned *onedtest.Oned, a Appliance) {
	t.Helper()
	ready := 0
	for _, app := range oned.Apps() {
		if app.State == 1 && app.Get(labelVersion) == a.App.Version {
			ready++
		}
	}
	assert.GreaterOrEqual(t, ready, 1, "the version is never gone")
}

func TestCancelledAtAnyCall(t *testing.T) {
	before, after := calls(t)
	reason := errors.New("Ctrl-C")
	for n := before; n < after; n++ {
		t.Run(fmt.Sprint(n-before), func(t *testing.T) {
			t.Parallel()
			oned, f, a, wanted := whole(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			at := len(oned.Calls()) + n - before
			oned.OnCall(func(n int, _ string) {
				if n == at {
					cancel(reason)
				}
			})
			p, said, err := f.run(ctx, t, a, wanted, never)
			assertOldVersionOr(t, oned, a)
			assert.Empty(t, oned.Templates(), "the lease is given up")
			if err != nil && !p.committed {
				assert.Empty(t, oned.Images(), "a run whose app does not count yet leaves no object: %s", said)
				assert.Len(t, oned.Apps(), 2)
			}
			oned.OnCall(nil)
			_, _, err = f.run(t.Context(), t, a, wanted, never)
			require.NoError(t, err)
			assertPublished(t, oned, f, a)
		})
	}
}

func TestKilledAtAnyCall(t *testing.T) {
	before, after := calls(t)
	for n := before; n < after; n++ {
		t.Run(fmt.Sprint(n-before), func(t *testing.T) {
			t.Parallel()
			oned, f, a, wanted := whole(t)
			// A run that has lost the connection for good cannot clean up either.
			oned.DownFrom(len(oned.Calls()) + n - before)
			_, _, err := f.run(t.Context(), t, a, wanted, never)
			assert.True(t, err != nil || n-before > 20, "only what is proven may lack its cleaning")
			oned.DownFrom(-1)
			assertOldVersionOr(t, oned, a)
			_, _, err = f.run(t.Context(), t, a, wanted, 2*time.Millisecond)
			require.NoError(t, err)
			assertPublished(t, oned, f, a)
		})
	}
}

type ended struct {
	said string
	err  error
}

// atOnce starts a run while another one is publishing, with ctx, and returns when it waits
// for that one. The front-end copies nothing until Hold(false).
func (f front) atOnce(ctx context.Context, t *testing.T, oned *onedtest.Oned, a Appliance) (first, second <-chan ended) {
	t.Helper()
	start := func(ctx context.Context, leaseInterval time.Duration) <-chan ended {
		end := make(chan ended, 1)
		go func() {
			_, said, err := f.run(ctx, t, a, target(), leaseInterval, func(p *Publisher) { p.Settle = 10 * time.Millisecond })
			end <- ended{said, err}
		}()
		return end
	}
	oned.Hold(true)
	first = start(ctx, 20*time.Millisecond)
	require.Eventually(t, func() bool { return len(oned.Images()) == 1 }, 10*time.Second, time.Millisecond)
	// It takes the first one for dead after three seconds without a sign.
	second = start(t.Context(), time.Second)
	require.Eventually(t, func() bool {
		looks := 0
		for _, call := range oned.Calls() {
			if call == "one.template.info" {
				looks++
			}
		}
		return looks > 1
	}, 10*time.Second, time.Millisecond, "it looks after the lease of the first")
	return first, second
}

func TestTwoRunsAtOnce(t *testing.T) {
	oned, f := double(t)
	a := newAppliance(t, "Copilot", "1.0.0")
	first, second := f.atOnce(t.Context(), t, oned, a)
	oned.Hold(false)
	require.NoError(t, (<-first).err)
	loser := <-second
	require.NoError(t, loser.err)
	assertPublished(t, oned, f, a)
	assert.Contains(t, loser.said, "Another run publishes this version (")
	assert.Contains(t, loser.said, fmt.Sprintf(" pid %d ", os.Getpid()))
	assert.Contains(t, loser.said, fmt.Sprintf("Copilot 1.0.0 is published in the marketplace private already, as app %d; nothing was changed", oned.Apps()[0].ID))
}

func TestTheSecondRunPublishesWhatTheFirstDidNot(t *testing.T) {
	oned, f := double(t)
	a := newAppliance(t, "Copilot", "1.0.0")
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("Ctrl-C")
	first, second := f.atOnce(ctx, t, oned, a)
	cancel(reason)
	require.ErrorIs(t, (<-first).err, reason)
	oned.Hold(false)
	require.NoError(t, (<-second).err)
	assertPublished(t, oned, f, a)
}

// Neither the output of a run nor what it stores in the cloud may contain a secret, even
// when calls fail and are retried.
func TestNoSecretIsSaidOrStored(t *testing.T) {
	oned, f, a, wanted := whole(t)
	for n := range 40 {
		oned.FailCall(len(oned.Calls())+3*n, onedtest.CutBefore)
	}
	_, said, err := f.run(t.Context(), t, a, wanted, never)
	require.NoError(t, err)
	assert.Contains(t, said, "trying again")
	assert.NotContains(t, said, f.credentials.Secret)
	assert.NotContains(t, fmt.Sprint(oned.Apps(), oned.Images(), oned.Templates()), f.credentials.Secret)

	oned.DownFrom(0)
	_, said, err = f.run(t.Context(), t, a, wanted, never)
	require.Error(t, err)
	assert.NotContains(t, said+err.Error(), f.credentials.Secret)
}
