package provisioner

import (
	"context"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/files"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// cleanUp leaves what every virtual machine shares and removes what belongs to this one.
// The key of the build stays, for what comes after; the builder removes it at the end.
func (b *bake) cleanUp(ctx context.Context) error {
	env := remote.Env{
		"PER_VM":          strings.Join(files.PerVMState(), "\n"),
		"STATUS_FILE":     appliance.StatusFile,
		"INSTALL_SUCCESS": appliance.InstallSuccess,
	}
	_, err := b.script(ctx, "clean_up", env, 15*time.Minute, b.say)
	return err
}
