package provisioner

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// The space that packages take, in bytes, with their dependencies and the package lists:
// nginx and certbot about 250 MiB on Debian 12, one-context with Ruby and QEMU's tools
// about 200 MiB more. An unpacked package is about four times as large; the size of one
// given only by name is a guess.
const (
	packageSpace      = 384 << 20
	oneContextSpace   = 256 << 20
	namedPackageSpace = 16 << 20
	unpacked          = 4
)

var bytesOf = progress.Bytes

func (b *bake) checkSpace(ctx context.Context) error {
	text, err := b.script(ctx, "free_space", nil, time.Minute, nil)
	if err != nil {
		return err
	}
	kib, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return fmt.Errorf("df on the machine gave no number: %q", text)
	}
	free, needed := kib*1024, b.space()
	if free < needed {
		return fmt.Errorf("the machine has %s free on /, the appliance needs %s: give the source a larger disk_size",
			bytesOf(free), bytesOf(needed))
	}
	b.say(fmt.Sprintf("%s free, %s needed", bytesOf(free), bytesOf(needed)))
	return nil
}

// space is the disk space, in bytes, that the remaining steps need, with a tenth more for
// the file system. The backend counts four times: once packed, and unpacked from an archive
// that may be compressed.
func (b *bake) space() int64 {
	p := b.payload
	files := p.localAI.Size + unpacked*p.backend.Size + unpacked*p.packages.size()
	if b.way != modelDisk {
		for _, m := range p.models {
			files += m.file.Size
		}
	}
	packages := int64(packageSpace) + namedPackageSpace*int64(len(b.config.Packages))
	if b.config.Context == appliance.OneContext {
		packages += oneContextSpace
	}
	return files*11/10 + packages
}
