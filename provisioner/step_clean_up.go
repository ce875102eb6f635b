package provisioner

import (
	"context"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/files"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// cleanUp removes what must differ between virtual machines. The SSH key of the build
// stays, because later steps need it; the builder removes it at the end.
func (b *bake) cleanUp(ctx context.Context) error {
	env := remote.Env{
		"PER_VM":          strings.Join(files.PerVMState(), "\n"),
		"STATUS_FILE":     appliance.StatusFile,
		"INSTALL_SUCCESS": appliance.InstallSuccess,
	}
	_, err := b.script(ctx, "clean_up", env, 15*time.Minute, b.say)
	return err
}
