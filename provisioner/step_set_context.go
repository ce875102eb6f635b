package provisioner

import (
	"context"
	"path"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// cloud-init reads the files of this directory in the order of their names, and images come
// with a 90_dpkg.cfg, so the file must sort after that. NoCloud stays, so that the image
// can be the base of another build.
const (
	dataSourcesFile = "/etc/cloud/cloud.cfg.d/95-" + appliance.Name + ".cfg"
	dataSources     = `# The context comes from OpenNebula: no other cloud is asked, which could take minutes.
datasource_list: [ OpenNebula, NoCloud, None ]
`
)

// setContext sets up the program that applies the context to the operating system.
func (b *bake) setContext(ctx context.Context) error {
	if b.config.Context == appliance.CloudInit {
		return b.machine.WriteText(ctx, dataSourcesFile, 0o644, dataSources)
	}
	env := remote.Env{"HOOKS": path.Dir(appliance.ContextHook)}
	_, err := b.script(ctx, "one_context", env, 15*time.Minute, b.say)
	return err
}
