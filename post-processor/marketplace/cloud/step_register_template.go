package cloud

import (
	"context"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// stepRegisterTemplate creates or updates the VM template in the cloud itself.
type stepRegisterTemplate struct{ *Publisher }

func (s *stepRegisterTemplate) Run(ctx context.Context) error {
	if s.plan.template == nil {
		return nil
	}
	if err := s.register(ctx); err != nil {
		return fmt.Errorf("make the VM template %q: %w", s.Appliance.title(), err)
	}
	return nil
}

func (s *stepRegisterTemplate) register(ctx context.Context) error {
	content := s.Appliance.vmTemplate(s.images)
	if s.template < 0 {
		id, err := s.Client.CreateVMTemplate(ctx, s.Appliance.title(), s.run, content)
		if err != nil {
			return err
		}
		s.template = id
		s.Say(fmt.Sprintf("VM template %d: %q", id, s.Appliance.title()))
	}
	seen, err := s.Client.VMTemplate(ctx, s.template)
	if err != nil {
		return err
	}
	if differ := differing(content, seen.Template); len(differ) > 0 {
		if err := s.Client.UpdateVMTemplate(ctx, s.template, differ); err != nil {
			return err
		}
	}
	return s.offer(s.template, seen.Permissions, seen.GroupID,
		func(id int, p opennebula.Permissions) error { return s.Client.ChmodVMTemplate(ctx, id, p) },
		func(id, group int) error { return s.Client.ChgrpVMTemplate(ctx, id, group) })
}
