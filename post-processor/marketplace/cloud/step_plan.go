package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

// stepPlan determines what there is to do, and whether it can be done.
type stepPlan struct{ *Publisher }

func (s *stepPlan) Run(ctx context.Context) error {
	if err := s.makePlan(ctx); err != nil {
		return err
	}
	for _, warning := range s.plan.stale {
		s.Say("Warning: " + warning)
	}
	if s.finishIfPublished() {
		return nil
	}
	if s.DryRun {
		s.Say("A run would:\n- " + strings.Join(s.tasks(), "\n- "))
		s.Say("Who imports " + s.Appliance.title() + " gets this VM template:\n" + s.Appliance.ImportedTemplate())
	}
	return s.check(ctx)
}

// Cleanup closes connections, and stops a server that served the image.
func (s *stepPlan) Cleanup() {
	if err := s.Transfer.Close(); err != nil {
		s.Say("Ending the transfer: " + err.Error())
	}
}

// finishIfPublished ends the run if there is nothing to do.
func (p *Publisher) finishIfPublished() bool {
	if p.done = len(p.tasks()) == 0; p.done {
		p.Say(fmt.Sprintf("%s is published in the marketplace %s already, as app %d; nothing was changed", p.Appliance.title(), p.marketplace.Name, p.AppID()))
	}
	return p.done
}

// makePlan compares the target with the current state of the cloud.
func (p *Publisher) makePlan(ctx context.Context) error {
	w, err := takeInventory(ctx, p.Client)
	if err != nil {
		return err
	}
	if p.plan, err = p.Appliance.plan(p.Target, p.marketplace.ID, p.datastore.ID, w); err != nil {
		return err
	}
	p.plan.lease = p.otherLease(w)
	p.images, p.apps, p.template = make([]int, len(p.plan.images)), make([]int, len(p.plan.apps)), -1
	for i, image := range p.plan.images {
		p.images[i] = -1
		if image.found != nil {
			p.images[i] = image.found.ID
		}
	}
	for i, app := range p.plan.apps {
		p.apps[i] = -1
		if app.found != nil {
			p.apps[i] = app.found.ID
		}
	}
	if p.plan.template != nil && p.plan.template.found != nil {
		p.template = p.plan.template.found.ID
	}
	return nil
}

// otherLease returns the lease of another run on this version, or nil.
func (p *Publisher) otherLease(w inventory) *opennebula.VMTemplate {
	for _, seen := range w.templates {
		isLease := p.Appliance.isPart(seen.Template, partLease) && p.Appliance.isThisVersion(seen.Template)
		if isLease && seen.Template.Get(p.run.Name) != p.run.Value {
			return &seen
		}
	}
	return nil
}

// check checks permissions, quotas, free space and the transfer method before the upload,
// which takes long.
func (s *stepPlan) check(ctx context.Context) error {
	var mistakes []error
	var files []transfer.File
	var needMB, fileMB int64
	for i, image := range s.plan.images {
		if !image.isMissing() {
			continue
		}
		disk := s.Appliance.Disks[i]
		files = append(files, fileOf(disk))
		needMB += sizeMB(disk)
		fileMB += disk.Manifest.FileSize >> 20
		if err := s.Client.CheckImage(ctx, s.datastore.ID, sizeMB(disk)); err != nil {
			mistakes = append(mistakes, s.explainImage(disk, err))
		}
	}
	if s.datastore.TotalMB > 0 && needMB > s.datastore.FreeMB {
		mistakes = append(mistakes, fmt.Errorf("datastore %q has %d MB free, the disks have %d MB", s.datastore.Name, s.datastore.FreeMB, needMB))
	}
	if s.marketplace.TotalMB > 0 && fileMB > s.marketplace.FreeMB {
		mistakes = append(mistakes, fmt.Errorf("marketplace %q has %d MB free, the images have %d MB", s.marketplace.Name, s.marketplace.FreeMB, fileMB))
	}
	for _, app := range s.plan.apps {
		if app.isMissing() && len(app.broken) == 0 {
			if err := s.Client.CheckApp(ctx, app.made(), s.marketplace.ID); err != nil {
				mistakes = append(mistakes, fmt.Errorf("publishing %q in the marketplace %q is refused: %w", app.made(), s.marketplace.Name, err))
			}
			break // The other apps need the same permissions.
		}
	}
	mistakes = append(mistakes, s.checkTransfer(ctx, files))
	mistakes = append(mistakes, s.checkOneGate(ctx))
	return errors.Join(mistakes...)
}

func (s *stepPlan) checkTransfer(ctx context.Context, files []transfer.File) error {
	if len(files) == 0 {
		return nil
	}
	if err := s.Transfer.Check(ctx, files); err != nil {
		return err
	}
	for _, file := range files {
		if path := s.Transfer.Local(file); path != "" {
			if err := checkSource(s.datastore, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkOneGate warns if nobody can use in this cloud what is published. That is no mistake of
// the publisher, and may be mended later.
func (s *stepPlan) checkOneGate(ctx context.Context) error {
	missing, err := s.Client.MissesOneGate(ctx)
	if missing {
		s.Say("Warning: this cloud has no OneGate, and refuses to instantiate the app: \"TOKEN set, but onegate endpoint was not defined in oned.conf\". " +
			"Ask an administrator to set ONEGATE_ENDPOINT there and to start opennebula-gate; or take TOKEN and REPORT_READY out of the CONTEXT of the imported template")
	}
	return err
}

func (s *stepPlan) explainImage(disk manifest.Disk, err error) error {
	if s.datastore.TotalMB == 0 {
		return fmt.Errorf("the front-end has not looked into the datastore %q yet and takes it for full; wait some minutes: %w", s.datastore.Name, err)
	}
	return fmt.Errorf("an image of %d MB in the datastore %q is refused: %w", sizeMB(disk), s.datastore.Name, err)
}
