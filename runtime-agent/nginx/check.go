package nginx

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const checkTimeout = 30 * time.Second

// Check has nginx test its whole configuration. args come before "-t": tests pass their own
// configuration with "-c".
func Check(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "nginx", append(args, "-t", "-q")...)
	// The agent's environment may contain context values.
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	out, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("nginx refuses its configuration: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
