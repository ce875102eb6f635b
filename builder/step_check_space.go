package builder

import (
	"context"
	"errors"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/diskspace"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// systemSpace is how much packages, LocalAI and its backend may add to the base image, in
// bytes.
const systemSpace = 2 << 30

// stepCheckSpace fails before the machine boots if the model does not fit on its disk, or
// the image on this host.
type stepCheckSpace struct{ *build }

func (s *stepCheckSpace) Run(ctx context.Context) error {
	base, err := qemuimg.DataSize(ctx, s.base)
	if err != nil {
		return fmt.Errorf("base_image: %w", err)
	}
	left, err := diskspace.Free(s.config.partialDirectory())
	if err != nil {
		return fmt.Errorf("output_directory: %w", err)
	}
	need := spaceNeed{base: base, weights: s.weights.Size, ownDisk: s.config.ModelDisk}
	for _, other := range s.others {
		need.weights += other.weights.Size
	}
	return errors.Join(need.checkDisk(s.config.diskBytes(), s.config.DiskSize), need.checkHost(left, s.config.partialDirectory()))
}

// spaceNeed holds the sizes in bytes: the data in the base image, and the weights, which go
// on a disk of their own if ownDisk is set.
type spaceNeed struct {
	base, weights int64
	ownDisk       bool
}

// content is the estimated data on the appliance's disk, in bytes.
func (n spaceNeed) content() int64 {
	if n.ownDisk {
		return n.base + systemSpace
	}
	return n.base + systemSpace + n.weights
}

// checkDisk passes if the size of the weights is unknown: then the provisioner checks the
// free space in the machine.
func (n spaceNeed) checkDisk(size int64, given string) error {
	if n.weights == 0 || n.ownDisk || size >= n.content() {
		return nil
	}
	return fmt.Errorf("disk_size: %s is too small: the model takes %s, the base image %s, and the system grows by up to %s; set it to at least \"%dG\"",
		given, progress.Bytes(n.weights), progress.Bytes(n.base), progress.Bytes(systemSpace), (n.content()+1<<30-1)>>30)
}

// host returns the peak disk usage on this host, in bytes: the machine's disk and the
// finished image, later that image and its raw copy; and the model disk, whose own raw copy
// is made before the machine boots.
func (n spaceNeed) host() int64 {
	build := 2 * n.content()
	if !n.ownDisk {
		return build
	}
	return n.weights + max(build, n.weights)
}

func (n spaceNeed) checkHost(left int64, directory string) error {
	if left >= n.host() {
		return nil
	}
	return fmt.Errorf("output_directory: the file system of %s has %s left, the build needs up to %s at once "+
		"(twice the content of the disk, %s, %s); free some space, or choose another directory",
		directory, progress.Bytes(left), progress.Bytes(n.host()), progress.Bytes(n.content()), n.modelNote())
}

func (n spaceNeed) modelNote() string {
	switch {
	case n.weights == 0:
		return "the model not counted: the builder does not know it"
	case n.ownDisk:
		return "besides the model disk, " + progress.Bytes(n.weights)
	}
	return "the model among it, " + progress.Bytes(n.weights)
}
