package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// stepCheckBase compares the checksum of a local base image. A download is checked by
// the builder that makes it.
type stepCheckBase struct{ *build }

func (s *stepCheckBase) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	path, local := s.localBase()
	if !local || s.config.BaseImageChecksum == fetch.Unchecked {
		return multistep.ActionContinue
	}
	if err := compareSHA256(ctx, path, s.config.BaseImageChecksum, uiOf(state).Say); err != nil {
		return fail(state, err)
	}
	return multistep.ActionContinue
}

func (s *stepCheckBase) Cleanup(multistep.StateBag) {}

// compareSHA256 expects a checksum in the form "sha256:<hex>".
func compareSHA256(ctx context.Context, path, expected string, say func(string)) error {
	status, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("base_image: %w", err)
	}
	meter := progress.Lines("check "+filepath.Base(path), status.Size(), say)
	sum := sha256.New()
	if _, err := digest.Sum(ctx, path, meter, sum); err != nil {
		return fmt.Errorf("base_image: %w", err)
	}
	if actual := "sha256:" + hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(actual, expected) {
		return fmt.Errorf("base_image_checksum: %s has %s, expected %s: correct the checksum or get the image again", path, actual, expected)
	}
	return nil
}
