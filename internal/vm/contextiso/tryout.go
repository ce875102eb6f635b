package contextiso

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
)

// labelStart is the offset of the label in an ISO 9660 image: in its 17th sector.
const labelStart = 16*2048 + 40

// TryOut creates a small image, to check that xorriso works here.
func TryOut(ctx context.Context, directory string) error {
	path := filepath.Join(directory, "context.iso")
	err := Write(ctx, path, map[string]string{"NAME": "sample"}, nil)
	if err == nil {
		err = checkLabel(path)
	}
	if err != nil {
		return hostprogram.Failed(ctx, "writing a CD-ROM", err, Program, "-version", distributionPackage)
	}
	return nil
}

func checkLabel(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	end := labelStart + len(appliance.ContextLabel)
	if len(content) < end || string(content[labelStart:end]) != appliance.ContextLabel {
		return errors.New("it has no label")
	}
	return nil
}
