package cloud

import (
	"context"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
)

// Publisher publishes one appliance in one cloud. Its exported fields are set before its
// steps run.
type Publisher struct {
	Client    *opennebula.Client
	Transfer  transfer.Method
	Target    Target
	Appliance Appliance
	Say       func(string)
	// DryRun tells what would be done instead of doing it.
	DryRun bool
	// Abort ends the run when another one has taken its lease over.
	Abort context.CancelCauseFunc
	// LeaseInterval is the time between two signs of life; 0 stands for 20 seconds.
	LeaseInterval time.Duration
	// Settle is how long a failed run waits for copies that are about to end; 0 stands for
	// 15 seconds.
	Settle time.Duration

	run         opennebula.Label
	user        opennebula.User
	marketplace opennebula.Marketplace
	datastore   opennebula.Datastore
	// group is -1 for the user's own.
	group int
	plan  *plan
	// paths are where the front-end finds the disks that were transferred.
	paths []string
	// images and apps are the numbers of what is there, by disk and by the plan's order.
	images, apps []int
	// template is the number of the VM template of the cloud, if there is one.
	template int
	// committed is set when the new apps are the ones that count: from then on nothing of
	// them is taken back.
	committed bool
	done      bool
}

// Preflight returns the steps that change nothing: they find out whether the appliance can
// be published, and what is to be done for it.
func (p *Publisher) Preflight() []step.Listed {
	p.run = newRun()
	return []step.Listed{step.Of(&stepConnect{p}), step.Of(&stepPlan{p})}
}

// Steps returns the steps that publish, none for a dry run.
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

// Done tells whether the appliance is published, by this run or by an earlier one.
func (p *Publisher) Done() bool { return p.done }

// AppID is the number of the app that people import, once all is Done.
func (p *Publisher) AppID() int {
	for i, a := range p.plan.apps {
		if a.name == p.Appliance.title() {
			return p.apps[i]
		}
	}
	return -1
}

// Marketplace names where it is, for people.
func (p *Publisher) Marketplace() string { return p.marketplace.Name }

// Needed tells whether the step of a publication has anything to do.
func (p *Publisher) Needed() bool { return !p.done }
