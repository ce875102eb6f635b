package builder

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// stepDescribe writes the manifest of the finished image.
type stepDescribe struct{ *build }

func (s *stepDescribe) Run(ctx context.Context) error {
	m, err := describe(ctx, s.image(), s.ui.Say)
	if err != nil {
		return s.failLate(ctx, err, s.inspectAgain)
	}
	m.Name, m.Version = s.config.ImageName, s.config.ImageVersion
	m.CreationTime = time.Now().Unix()
	m.BuildID = s.id
	s.baked.tell(&m)
	m.OSID, m.OSRelease, m.OSArch = s.guest.osID, s.guest.osRelease, s.guest.arch
	s.manifest = m
	if err := manifest.Write(manifest.Path(s.image()), m); err != nil {
		return s.failLate(ctx, err, s.inspectAgain)
	}
	return nil
}

// describe fills in the format, sizes and digests of a finished image.
func describe(ctx context.Context, image string, say func(string)) (manifest.Manifest, error) {
	info, err := qemuimg.Inspect(image)
	if err != nil {
		return manifest.Manifest{}, err
	}
	status, err := os.Stat(image)
	if err != nil {
		return manifest.Manifest{}, err
	}
	meter := progress.Lines("digest "+filepath.Base(image), status.Size(), say)
	digests, err := digest.File(ctx, image, meter)
	if err != nil {
		return manifest.Manifest{}, err
	}
	return manifest.Manifest{
		Image:    filepath.Base(image),
		Format:   qemuimg.Format,
		Size:     info.VirtualSize,
		FileSize: digests.Size,
		MD5:      digests.MD5,
		SHA1:     digests.SHA1,
		SHA256:   digests.SHA256,
	}, nil
}
