package provisioner

import (
	"context"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remote"
)

const packagesTimeout = 30 * time.Minute

func (b *bake) installPackages(ctx context.Context) error {
	env := remote.Env{"PACKAGES": strings.Join(b.packages(), " ")}
	_, err := b.script(ctx, "install_packages", env, packagesTimeout, occasionally(10*time.Second, b.say))
	return err
}

func (b *bake) packages() []string {
	names := []string{"nginx", "certbot"}
	if strings.HasSuffix(b.config.Backend.Source, ".tar.zst") {
		names = append(names, "zstd")
	}
	return names
}
