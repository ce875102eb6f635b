package builder

import (
	"context"
	"path/filepath"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuimg"
)

// stepDescribe writes the manifest of the finished image.
type stepDescribe struct{ *build }

func (s *stepDescribe) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	image := s.image()
	info, err := qemuimg.Inspect(ctx, image)
	if err != nil {
		return fail(state, err)
	}
	meter := progress.Lines("digest "+filepath.Base(image), info.ActualSize, uiOf(state).Say)
	digests, err := digest.File(ctx, image, meter)
	if err != nil {
		return fail(state, err)
	}
	s.manifest = s.describe(info, digests, time.Now())
	if err := manifest.Write(manifest.Path(image), s.manifest); err != nil {
		return fail(state, err)
	}
	return multistep.ActionContinue
}

func (s *stepDescribe) Cleanup(multistep.StateBag) {}

func (b *build) describe(info qemuimg.Info, digests digest.Digests, now time.Time) manifest.Manifest {
	return manifest.Manifest{
		Name:         b.config.ImageName,
		Version:      b.config.ImageVersion,
		Image:        b.config.imageFile(),
		Format:       info.Format,
		Size:         info.VirtualSize,
		FileSize:     digests.Size,
		MD5:          digests.MD5,
		SHA1:         digests.SHA1,
		SHA256:       digests.SHA256,
		CreationTime: now.Unix(),
		OSID:         b.guest.osID,
		OSRelease:    b.guest.osRelease,
		OSArch:       b.guest.arch,
	}
}
