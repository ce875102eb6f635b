package marketplace

import (
	"context"
	"errors"
	"fmt"
	"os"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// stepKeep links the images into a directory next to theirs before anything long begins.
// When the first post-processor fails or is killed, Packer deletes the files of the source,
// even if the post-processor asked to keep them, and an image takes long to build. (After
// verify, this is not the first.)
type stepKeep struct {
	input packersdk.Artifact
	pub   *publication
	ui    packersdk.Ui
}

func (s *stepKeep) Run(ctx context.Context) error {
	return s.pub.keep(ctx, s.ui, s.input)
}

// keep links the image if it comes directly from the source.
func (p *publication) keep(ctx context.Context, ui packersdk.Ui, input packersdk.Artifact) (err error) {
	if input.BuilderId() != appliance.BuilderID {
		return nil
	}
	p.kept, err = keep(ctx, ui.Say, p.disks[0].Path, input.Files())
	// A missing image is reported by the step that reads it.
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("keep the image for the case that publishing fails: %w", err)
	}
	return nil
}
