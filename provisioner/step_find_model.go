package provisioner

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// The directories where udev links disks that a builder may have attached.
const (
	diskByLabel  = "/dev/disk/by-label/"
	diskBySerial = "/dev/disk/by-id/virtio-"
)

// modelWay is how the weights get into the machine.
type modelWay int

const (
	// upload copies the weights over the connection, which always works.
	upload modelWay = iota
	// attached: the file of the default model is attached as a disk during the build, and the others
	// are uploaded.
	attached
	// modelDisk: the weights stay on a separate disk, which the image needs permanently.
	modelDisk
)

// findModel looks for a disk with the weights that the builder may have attached.
func (b *bake) findModel(ctx context.Context) error {
	env := remote.Env{"LABEL": diskByLabel + appliance.ModelDiskLabel, "SERIAL": b.attachedDevice()}
	text, err := b.script(ctx, "find_model", env, 2*time.Minute, nil)
	if err != nil {
		return err
	}
	found := parseFacts(text)
	switch {
	case found["label"] == "yes":
		b.way = modelDisk
		b.say(fmt.Sprintf("the weights stay on the disk labelled %s", appliance.ModelDiskLabel))
		return nil
	case found["serial"] == "yes":
		b.way = attached
		b.say(fmt.Sprintf("%s is attached as %s", b.payload.models[0].called(), path.Base(b.attachedDevice())))
	default:
		b.way = upload
	}
	for _, m := range b.payload.models {
		if !b.isAttached(m) {
			b.say(fmt.Sprintf("no disk with %s is attached: its %s go through the connection", m.called(), bytesOf(m.file.Size)))
		}
	}
	return nil
}

func (b *bake) isAttached(m *bakedModel) bool { return b.way == attached && m.isDefault() }

func (b *bake) attachedDevice() string {
	return diskBySerial + appliance.AttachedSerial(b.payload.models[0].file.SHA256)
}
