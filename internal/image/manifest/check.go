package manifest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// Check reads the whole image. It returns an error unless the image is complete in itself,
// undamaged, and the one that its manifest describes. OpenNebula reports a wrong digest only as
// an ERROR state without a reason, and a wrong size not at all.
func (d Disk) Check(ctx context.Context, say func(string)) error {
	say("Checking the image " + d.Path + " against its manifest")
	if err := qemuimg.Check(ctx, d.Path); err != nil {
		return err
	}
	info, err := qemuimg.Inspect(d.Path)
	if err != nil {
		return err
	}
	meter := progress.Lines("check "+filepath.Base(d.Path), d.Manifest.FileSize, say)
	is, err := digest.File(ctx, d.Path, meter)
	if err != nil {
		return fmt.Errorf("read the image: %w", err)
	}
	meter.Finish()
	return d.compare(info, is)
}

// compare lists everything in which the image differs from its manifest.
func (d Disk) compare(info qemuimg.Info, is digest.Digests) error {
	m := d.Manifest
	var mistakes []error
	for _, field := range []struct {
		name      string
		want, got any
	}{
		{"size", m.Size, info.VirtualSize},
		{"file_size", m.FileSize, is.Size},
		{"md5", m.MD5, is.MD5},
		{"sha1", m.SHA1, is.SHA1},
		{"sha256", m.SHA256, is.SHA256},
	} {
		if field.got != field.want {
			mistakes = append(mistakes, fmt.Errorf("%s: the manifest says %v, the file has %v", field.name, field.want, field.got))
		}
	}
	if len(mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("the image %s is not the one its manifest describes; build it again: %w", d.Path, errors.Join(mistakes...))
}
