package provisioner

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/files"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// smokeTestTimeout allows for a large model on a slow disk.
const smokeTestTimeout = 30 * time.Minute

// smokeTest configures the appliance as a first boot would, starts the real units and
// requires a real answer through nginx.
func (b *bake) smokeTest(ctx context.Context) error {
	env := remote.Env{
		"AGENT":   appliance.AgentPath,
		"UNITS":   strings.Join(files.Units(), " "),
		"LOCALAI": appliance.LocalAIUnit,
		"NGINX":   appliance.NginxUnit,
		"GATEWAY": appliance.GatewayUnit,
		"SOCKET":  appliance.GatewaySocketUnit,
	}
	_, err := b.script(ctx, "smoke_test", env, smokeTestTimeout, b.say)
	if err == nil || ctx.Err() != nil {
		return err
	}
	journal, journalErr := b.script(ctx, "journal", env, time.Minute, nil)
	if journalErr != nil {
		journal = fmt.Sprintf("could not be read: %v", journalErr)
	}
	return fmt.Errorf("the appliance gives no answer: %w\nthe journal of its services:\n%s", err, strings.TrimSpace(journal))
}
