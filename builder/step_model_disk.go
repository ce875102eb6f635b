package builder

import (
	"context"
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/modeldisk"
)

// stepModelDisk makes the image of the model disk before the machine boots, which finds it
// by its label. stepLockOutput removes the file.
type stepModelDisk struct{ *build }

func (s *stepModelDisk) Run(ctx context.Context) error {
	s.ui.Say("Making the disk with the model...")
	if err := modeldisk.Write(ctx, s.diskContent(), s.modelImage(), s.ui.Say); err != nil {
		return err
	}
	described, err := describe(ctx, s.modelImage(), s.ui.Say)
	if err != nil {
		return err
	}
	described.Name, described.Version = s.config.ImageName+"-model", s.modelDiskVersion()
	described.CreationTime, described.BuildID = time.Now().Unix(), s.id
	s.modelManifest = described
	if err := manifest.Write(manifest.Path(s.modelImage()), described); err != nil {
		return fmt.Errorf("describe the model disk: %w", err)
	}
	return nil
}
