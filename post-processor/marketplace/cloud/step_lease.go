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
	defaultLeaseInterval = 20 * time.Second
	// A run that misses this many refreshes of its lease is considered dead.
	missedSigns = 3
	// heartbeat is the time between two lines that say that another run is being waited for.
	heartbeat = time.Minute
	// labelSign is a counter that changes with every refresh.
	labelSign = "SLM_COPILOT_SIGN"
	labelFrom = "SLM_COPILOT_SINCE"
)

// stepLease makes this run the only one that publishes this version, until it ends.
type stepLease struct {
	*Publisher
	// acquiring is set before the first call that creates an object.
	acquiring bool
	id        int
	stop      context.CancelFunc
	wait      sync.WaitGroup
}

func (s *stepLease) Run(ctx context.Context) error {
	if s.LeaseInterval == 0 {
		s.LeaseInterval = defaultLeaseInterval
	}
	name := s.Appliance.leaseName()
	content := append(s.Appliance.labels(partLease, s.Appliance.system().Manifest.SHA256),
		opennebula.Attribute{Name: "DESCRIPTION", Value: "Not a template: held while this version is being published"},
		opennebula.Attribute{Name: labelFrom, Value: time.Now().UTC().Format(time.RFC3339)},
		opennebula.Attribute{Name: labelSign, Value: "0"})
	s.acquiring = true
	for {
		id, err := s.Client.CreateVMTemplate(ctx, name, s.run, content)
		if err == nil {
			s.id = id
			break
		}
		var taken *opennebula.TakenError
		if !errors.As(err, &taken) {
			return fmt.Errorf("take the lease %q: %w", name, err)
		}
		if err := s.await(ctx, taken.ID); err != nil {
			return err
		}
	}
	s.renew() //nolint:contextcheck // the lease is kept until Cleanup, after an interruption too
	// Another run may have changed something between the first plan and taking the lease.
	if err := s.makePlan(ctx); err != nil {
		return err
	}
	s.finishIfPublished()
	return nil
}

// await returns when another run has given up its lease. The lease of a run that is dead is
// deleted; one that is alive is waited for, because what it publishes need not be published
// again.
func (s *stepLease) await(ctx context.Context, id int) error {
	first, err := s.Client.VMTemplate(ctx, id)
	if opennebula.IsGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !s.Appliance.isPart(first.Template, partLease) {
		return fmt.Errorf("VM template %d is called %q, which publishing needs: rename it", id, first.Name)
	}
	who := first.Template.Get(labelRun) + ", since " + first.Template.Get(labelFrom)
	patience := missedSigns * s.LeaseInterval
	s.Say(fmt.Sprintf("Another run publishes this version (%s); waiting until it ends, or has shown no sign of life for %s", who, patience))
	sign, last, said := first.Template.Get(labelSign), time.Now(), time.Now()
	for time.Since(last) < patience {
		if time.Since(said) >= heartbeat {
			s.Say("The other run is still alive (" + who + "); waiting until it ends")
			said = time.Now()
		}
		if err := retry.Sleep(ctx, s.LeaseInterval/4); err != nil {
			return fmt.Errorf("while another run was publishing %s (%s): %w", s.Appliance.title(), who, err)
		}
		seen, err := s.Client.VMTemplate(ctx, id)
		if opennebula.IsGone(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if now := seen.Template.Get(labelSign); now != sign {
			sign, last = now, time.Now()
		}
	}
	s.Say("It shows none; taking over from it")
	return s.Client.DeleteVMTemplate(ctx, id)
}

// renew refreshes the lease until the run ends.
func (s *stepLease) renew() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.wait.Go(func() {
		for sign := 1; retry.Sleep(ctx, s.LeaseInterval) == nil; sign++ {
			err := s.Client.UpdateVMTemplate(ctx, s.id, opennebula.Template{{Name: labelSign, Value: fmt.Sprint(sign)}})
			if opennebula.IsGone(err) {
				s.Abort(fmt.Errorf("another run has taken over the publication of %s, because this one showed no sign of life", s.Appliance.title()))
				return
			}
		}
	})
}

// Cleanup rolls back a failed run and gives up the lease.
func (s *stepLease) Cleanup() {
	if s.stop != nil {
		s.stop()
		s.wait.Wait()
	}
	if !s.acquiring {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	if err := s.rollBack(ctx); err != nil {
		s.Say(fmt.Sprintf("Not everything could be cleaned up; the next run does it: %v", err))
	}
}
