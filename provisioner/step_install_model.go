package provisioner

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/files"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// modelTimeout allows for copying 15 GB and reading it again on an emulated processor.
const modelTimeout = 2 * time.Hour

func (b *bake) installModel(ctx context.Context) error {
	switch b.way {
	case modelDisk:
		return b.mountModelDisk(ctx)
	case attached:
		return b.copyModel(ctx)
	default:
		return b.uploadFile(ctx, "the model", b.payload.model, modelFile, 0o644)
	}
}

// copyModel copies the model from the attached disk, whose last sector is padded after the
// end of the file.
func (b *bake) copyModel(ctx context.Context) error {
	model := b.payload.model
	if there, err := b.isThere(ctx, "the model", model, modelFile, 0o644); there || err != nil {
		return err
	}
	env := remote.Env{
		"DEVICE": b.attachedDevice(), "SIZE": strconv.FormatInt(model.Size, 10), "SUM": model.SHA256,
		"DIR": path.Dir(modelFile), "DEST": modelFile,
	}
	meter := progress.Lines("copy the model", model.Size, b.say)
	_, err := b.script(ctx, "copy_model", env, modelTimeout, func(line string) {
		if done, err := strconv.ParseInt(line, 10, 64); err == nil {
			meter.Set(done)
		}
	})
	if err != nil {
		return fmt.Errorf("copy the model from %s: %w", env["DEVICE"], err)
	}
	meter.Finish()
	return nil
}

func (b *bake) mountModelDisk(ctx context.Context) error {
	if err := b.writeFiles(ctx, files.ModelDiskFiles()); err != nil {
		return err
	}
	env := remote.Env{
		"UNIT": files.ModelMountUnit, "FILE": modelFile, "SUM": b.payload.model.SHA256, "LABEL": appliance.ModelDiskLabel,
	}
	_, err := b.script(ctx, "mount_model_disk", env, modelTimeout, nil)
	return err
}
