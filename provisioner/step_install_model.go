package provisioner

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/files"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// modelTimeout allows for copying 15 GB and reading it again on an emulated processor.
const modelTimeout = 2 * time.Hour

func (b *bake) installModels(ctx context.Context) error {
	if b.way == modelDisk {
		return b.mountModelDisk(ctx)
	}
	for _, m := range b.payload.models {
		if err := b.installModel(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (b *bake) installModel(ctx context.Context, m *bakedModel) error {
	if b.isAttached(m) {
		return b.copyModel(ctx, m)
	}
	return b.uploadFile(ctx, m.called(), m.file, m.described.WeightsFile(), 0o644)
}

// copyModel copies the model from the attached disk, whose last sector is padded after the
// end of the file.
func (b *bake) copyModel(ctx context.Context, m *bakedModel) error {
	target := m.described.WeightsFile()
	if there, err := b.isThere(ctx, m.called(), m.file, target, 0o644); there || err != nil {
		return err
	}
	env := remote.Env{
		"DEVICE": b.attachedDevice(), "SIZE": strconv.FormatInt(m.file.Size, 10), "SUM": m.file.SHA256,
		"DIR": path.Dir(target), "DEST": target,
	}
	meter := progress.Lines("copy "+m.called(), m.file.Size, b.say)
	_, err := b.script(ctx, "copy_model", env, modelTimeout, func(line string) {
		if done, err := strconv.ParseInt(line, 10, 64); err == nil {
			meter.Set(done)
		}
	})
	if err != nil {
		return fmt.Errorf("copy %s from %s: %w", m.called(), env["DEVICE"], err)
	}
	meter.Finish()
	return nil
}

func (b *bake) mountModelDisk(ctx context.Context) error {
	if err := b.writeFiles(ctx, files.ModelDiskFiles()); err != nil {
		return err
	}
	var sums strings.Builder
	for _, m := range b.payload.models {
		fmt.Fprintf(&sums, "%s %s\n", m.file.SHA256, m.described.WeightsFile())
	}
	env := remote.Env{
		"UNIT": files.ModelMountUnit, "DIR": appliance.ModelsDir, "SUMS": sums.String(), "LABEL": appliance.ModelDiskLabel,
	}
	_, err := b.script(ctx, "mount_model_disk", env, modelTimeout*time.Duration(len(b.payload.models)), nil)
	return err
}
