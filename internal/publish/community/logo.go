package community

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

const (
	// logoPixels is the width and height that the repository's reviewers ask for.
	logoPixels = 300
	// maxLogo is in bytes; the largest logo of the repository has a little less.
	maxLogo = 100 << 10
)

// checkLogo reads the whole picture, so that no half of one is published.
func checkLogo(content []byte) error {
	if len(content) == 0 {
		return nil
	}
	if len(content) > maxLogo {
		return fmt.Errorf("the logo has %s; at most %s are taken", progress.Bytes(int64(len(content))), progress.Bytes(maxLogo))
	}
	// The size comes first: a small file may be of a picture that fills the memory.
	config, err := png.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return errors.New("the logo is no PNG")
	}
	if config.Width != logoPixels || config.Height != logoPixels {
		return fmt.Errorf("the logo has %d by %d pixels; it must have %d by %d", config.Width, config.Height, logoPixels, logoPixels)
	}
	if _, err := png.Decode(bytes.NewReader(content)); err != nil {
		return fmt.Errorf("the logo is a damaged PNG: %w", err)
	}
	return nil
}
