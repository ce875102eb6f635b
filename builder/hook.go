package builder

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// generated returns the values that provisioners and post-processors read as build.<name>.
func (b *build) generated() map[string]any {
	return map[string]any{
		"Accelerator":                 b.accelerator,
		appliance.DataBaseImage:       sourceuri.Shown(b.config.BaseImage),
		appliance.DataBaseImageSource: b.baseInput.Source,
		appliance.DataBaseImageDigest: b.baseInput.Digest,
		appliance.DataBaseImageSize:   strconv.FormatInt(b.baseInput.Size, 10),
		"ImageName":                   b.config.ImageName,
		appliance.DataImageVersion:    b.config.ImageVersion,
	}
}

func generatedNames() []string {
	return slices.Sorted(maps.Keys((&build{config: new(Config)}).generated()))
}

// provisionHook wraps Packer's hook, because the builder of packer-plugin-qemu passes no
// data of its own to the provisioners, and stops the machine right after them.
type provisionHook struct {
	*build
	next packersdk.Hook
}

func (h *provisionHook) Run(ctx context.Context, name string, _ packersdk.Ui, comm packersdk.Communicator, data any) error {
	// Not the watcher's Ui: what provisioners print is not an error of the machine.
	if name != packersdk.HookProvision {
		return h.next.Run(ctx, name, h.ui, comm, data)
	}
	h.ui.Say("Waiting for the first boot to finish...")
	machine := remote.NewMachine(comm)
	stop := h.waiting(h.ui.Say, "the first boot to finish")
	g, complaint, err := readGuest(ctx, machine)
	stop()
	if err != nil {
		return err
	}
	if complaint != "" {
		h.ui.Say("Warning: cloud-init could not do all of its work:\n" + complaint)
	}
	h.guest = g
	// data contains the private SSH key of the build, so it is never logged.
	if offered, ok := data.(map[string]any); ok {
		maps.Copy(offered, h.generated())
	}
	if err := h.next.Run(ctx, name, h.ui, comm, data); err != nil {
		return err
	}
	if h.baked, err = readBaked(ctx, machine); err != nil {
		return err
	}
	h.ui.Say("Removing the traces of the build and trimming free space...")
	trimmed, err := machine.Run(ctx, remote.Script{Text: tidyScript, Timeout: scriptTimeout})
	if err != nil {
		return fmt.Errorf("remove the traces of the build: %w", err)
	}
	h.ui.Say("Trimmed " + strings.TrimSpace(trimmed))
	return nil
}
