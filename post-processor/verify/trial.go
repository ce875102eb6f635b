package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/instance"
)

// trial is what the steps of one run share.
type trial struct {
	image string
	// kept is another name of the image, in a directory that a failure leaves.
	kept, keptDirectory string
	// modelImage is the disk with the weights, empty if the image holds them itself.
	modelImage string
	// arch is Go's name of the image's architecture.
	arch string
	// before is what the file system said about the image before the first boot.
	before   fs.FileInfo
	instance *instance.Instance
	report   acceptance.Report
}

// beside is the path of a file that goes with an image.
func beside(image, suffix string) string {
	return strings.TrimSuffix(image, ".qcow2") + suffix
}

// serialLog is where the console of the trial is written. The build has a log of its own
// beside the image.
func serialLog(image string) string {
	return beside(image, ".verify"+appliance.SerialLogSuffix)
}

// writeReports writes both forms of the report beside an image.
func writeReports(image string, report acceptance.Report) ([]string, error) {
	document, err := report.JSON()
	if err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	text, json := beside(image, appliance.VerifyReportTextSuffix), beside(image, appliance.VerifyReportJSONSuffix)
	return []string{text, json}, errors.Join(
		atomicfile.Write(text, []byte(report.Text()), 0o644, nil),
		atomicfile.Write(json, document, 0o644, nil),
	)
}

// checkUntouched says whether the image is still the file it was.
func (t *trial) checkUntouched() error {
	now, err := os.Stat(t.image)
	if err != nil {
		return fmt.Errorf("the image is gone after its trial: %w", err)
	}
	if !os.SameFile(t.before, now) || now.Size() != t.before.Size() || !now.ModTime().Equal(t.before.ModTime()) {
		return fmt.Errorf("the image %s was changed by another program during its trial, so nothing is proven about it", t.image)
	}
	return nil
}
