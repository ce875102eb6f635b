package community

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

const (
	// logoPixels is the width and height the repository's reviewers ask for.
	logoPixels = 300
	// maxLogo is in bytes; the largest logo in the repository is slightly smaller.
	maxLogo = 100 << 10
)

// checkLogo decodes the whole picture, so that a truncated one is not published.
func checkLogo(content []byte) error {
	if len(content) == 0 {
		return nil
	}
	if len(content) > maxLogo {
		return fmt.Errorf("the logo has %s; at most %s are taken", progress.Bytes(int64(len(content))), progress.Bytes(maxLogo))
	}
	// The dimensions come first: a small file may decode to a picture that exhausts memory.
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
