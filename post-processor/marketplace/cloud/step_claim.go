package cloud

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

const (
	defaultClaimInterval = 20 * time.Second
	// A claim that is not refreshed for so many intervals is that of a run that has ended.
	missedSigns = 3
	// markSign is refreshed while the run lives.
	markSign = "SLM_COPILOT_SIGN"
	markFrom = "SLM_COPILOT_SINCE"
)

// stepClaim makes this run the only one that publishes this version, until it ends.
type stepClaim struct {
	*Publisher
	// claiming is set before the first call that makes something.
	claiming bool
	id       int
	stop     context.CancelFunc
	wait     sync.WaitGroup
}

func (s *stepClaim) Run(ctx context.Context) error {
	if s.ClaimInterval == 0 {
		s.ClaimInterval = defaultClaimInterval
	}
	name := s.Appliance.claimName()
	content := append(s.Appliance.marks(partClaim, s.Appliance.system().Manifest.SHA256),
		opennebula.Attribute{Name: "DESCRIPTION", Value: "Not a template: held while this version is being published"},
		opennebula.Attribute{Name: markFrom, Value: time.Now().UTC().Format(time.RFC3339)},
		opennebula.Attribute{Name: markSign, Value: "0"})
	s.claiming = true
	for {
		id, err := s.Client.CreateVMTemplate(ctx, name, s.run, content)
		if err == nil {
			s.id = id
			break
		}
		var taken *opennebula.TakenError
		if !errors.As(err, &taken) {
			return fmt.Errorf("claim %q: %w", name, err)
		}
		if err := s.takeOver(ctx, taken.ID); err != nil {
			return err
		}
	}
	s.keepUp() //nolint:contextcheck // the claim is kept until Cleanup, after an interruption too
	// Another run may have done something between our first look and the claim.
	if err := s.makePlan(ctx); err != nil {
		return err
	}
	s.done = len(s.tasks()) == 0
	return nil
}

// takeOver removes the claim of a run that shows no sign of life. That of a living one is
// an error that says who it is.
func (s *stepClaim) takeOver(ctx context.Context, id int) error {
	first, err := s.Client.VMTemplate(ctx, id)
	if opennebula.IsGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !s.Appliance.isPart(first.Template, partClaim) {
		return fmt.Errorf("VM template %d is called %q, which publishing needs: rename it", id, first.Name)
	}
	who := first.Template.Get(markRun) + ", since " + first.Template.Get(markFrom)
	patience := missedSigns * s.ClaimInterval
	s.Say(fmt.Sprintf("Another run publishes this version (%s); looking for %s whether it is alive", who, patience))
	for started := time.Now(); time.Since(started) < patience; {
		if err := retry.Sleep(ctx, s.ClaimInterval/4); err != nil {
			return err
		}
		seen, err := s.Client.VMTemplate(ctx, id)
		if opennebula.IsGone(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if seen.Template.Get(markSign) != first.Template.Get(markSign) {
			return fmt.Errorf("another run is publishing %s: %s. Let it finish; then this one finds what it has done", s.Appliance.title(), who)
		}
	}
	s.Say("It is not; taking over from it")
	return s.Client.DeleteVMTemplate(ctx, id)
}

// keepUp refreshes the claim until the run ends.
func (s *stepClaim) keepUp() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.wait.Go(func() {
		for sign := 1; retry.Sleep(ctx, s.ClaimInterval) == nil; sign++ {
			err := s.Client.UpdateVMTemplate(ctx, s.id, opennebula.Template{{Name: markSign, Value: fmt.Sprint(sign)}})
			if opennebula.IsGone(err) {
				s.Abort(fmt.Errorf("another run has taken over the publication of %s, because this one showed no sign of life", s.Appliance.title()))
				return
			}
		}
	})
}

// Cleanup takes back what a failed run has made, and gives the claim up.
func (s *stepClaim) Cleanup() {
	if s.stop != nil {
		s.stop()
		s.wait.Wait()
	}
	if !s.claiming {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	if err := s.takeBack(ctx); err != nil {
		s.Say(fmt.Sprintf("Not everything could be cleaned up; the next run does it: %v", err))
	}
}
