package cloud

import (
	"context"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
)

// Publisher publishes one appliance in one cloud. Set its exported fields before its steps
// run.
type Publisher struct {
	Client    *opennebula.Client
	Transfer  transfer.Method
	Target    Target
	Appliance Appliance
	Say       func(string)
	// DryRun reports what would be done instead of doing it.
	DryRun bool
	// Abort ends the run if another run has taken over its lease.
	Abort context.CancelCauseFunc
	// LeaseInterval is the time between two refreshes of the lease; 0 means 20 seconds.
	LeaseInterval time.Duration
	// Settle is how long a failed run waits for copies that are about to end; 0 means 15
	// seconds.
	Settle time.Duration

	run         opennebula.Label
	user        opennebula.User
	marketplace opennebula.Marketplace
	datastore   opennebula.Datastore
	// group is the id of the target's group, -1 to keep the group of the user.
	group int
	plan  *plan
	// paths are where the front-end finds the transferred disks.
	paths []string
	// images and apps are the ids of the objects, in the order of the disks and of the
	// plan.
	images, apps []int
	// template is the id of the VM template in the cloud, -1 without one.
	template int
	// committed is set when the new apps start to replace the old ones: after that nothing
	// is rolled back.
	committed bool
	done      bool
}

// Preflight returns the steps that check whether the appliance can be published, and plan
// it. They change nothing.
func (p *Publisher) Preflight() []step.Listed {
	p.run = newRun()
	return []step.Listed{step.Of(&stepConnect{p}), step.Of(&stepPlan{p})}
}

// Steps returns the steps that publish; none for a dry run.
func (p *Publisher) Steps() []step.Listed {
	if p.DryRun {
		return nil
	}
	return []step.Listed{
		step.Of(&stepLease{Publisher: p}),
		step.Of(&stepTransfer{p}),
		step.Of(&stepRegisterImages{p}),
		step.Of(&stepRegisterApps{p}),
		step.Of(&stepOffer{p}),
		step.Of(&stepRegisterTemplate{p}),
		step.Of(&stepVerify{p}),
		step.Of(&stepCommit{p}),
		step.Of(&stepPrune{p}),
		step.Of(&stepClean{p}),
	}
}

// Done reports whether the appliance is published, by this run or an earlier one.
func (p *Publisher) Done() bool { return p.done }

// AppID returns the id of the app that users import. It is valid once Done is true.
func (p *Publisher) AppID() int {
	for i, a := range p.plan.apps {
		if a.name == p.Appliance.title() {
			return p.apps[i]
		}
	}
	return -1
}

// Marketplace returns the name of the marketplace, for messages.
func (p *Publisher) Marketplace() string { return p.marketplace.Name }

// Needed reports whether the steps that publish have anything to do.
func (p *Publisher) Needed() bool { return !p.done }
