package provisioner

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// packageSpace is for nginx, certbot, their dependencies and the package lists: about
// 250 MiB on Debian 12.
const packageSpace = 384 << 20

func (b *bake) checkSpace(ctx context.Context) error {
	needed, err := b.payload.space()
	if err != nil {
		return err
	}
	text, err := b.script(ctx, "free_space", nil, time.Minute, nil)
	if err != nil {
		return err
	}
	kib, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return fmt.Errorf("df on the machine gave no number: %q", text)
	}
	free := kib * 1024
	if free < needed {
		return fmt.Errorf("the machine has %s free on /, the appliance needs %s: give the source a larger disk_size",
			progress.Bytes(free), progress.Bytes(needed))
	}
	b.say(fmt.Sprintf("%s free, %s needed", progress.Bytes(free), progress.Bytes(needed)))
	return nil
}

// space is what the payload needs, with a tenth more for the file system. The backend
// counts four times: packed once, and unpacked from an archive that may be compressed.
func (p payload) space() (int64, error) {
	var total int64
	for path, times := range map[string]int64{p.localAI: 1, p.backend: 4, p.model: 1} {
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		total += times * info.Size()
	}
	return total*11/10 + packageSpace, nil
}
