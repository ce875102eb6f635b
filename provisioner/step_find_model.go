package provisioner

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// modelFile is the path where the engine looks for the weights.
const modelFile = appliance.ModelsDir + "/" + appliance.ModelFile

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
	// attached: the file itself is attached as a disk during the build.
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
	size := b.payload.model.Size
	switch {
	case found["label"] == "yes":
		b.way = modelDisk
		b.say(fmt.Sprintf("the model stays on the disk labelled %s", appliance.ModelDiskLabel))
	case found["serial"] == "yes":
		b.way = attached
		b.say(fmt.Sprintf("the model is attached as %s", path.Base(b.attachedDevice())))
	default:
		b.way = upload
		b.say(fmt.Sprintf("no disk with the model is attached: its %s go through the connection", bytesOf(size)))
	}
	return nil
}

func (b *bake) attachedDevice() string {
	return diskBySerial + appliance.AttachedSerial(b.payload.model.SHA256)
}
