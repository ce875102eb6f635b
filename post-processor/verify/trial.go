package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/instance"
)

// trial is the state that the steps of one run share.
type trial struct {
	image string
	// kept is a hard link to the image, in keptDirectory, which stays after a failure.
	kept, keptDirectory string
	// manifest describes the image, nil if no manifest lies beside it.
	manifest *manifest.Manifest
	// modelImage is the path of the model disk, empty if the weights are in the image, and
	// modelSHA256 its digest.
	modelImage, modelSHA256 string
	// model is the id of the model that must answer, memoryMiB the memory of the machine.
	model     string
	memoryMiB int
	// before is the state of the image file before the first boot.
	before   fs.FileInfo
	instance *instance.Instance
	report   acceptance.Report
}

// beside returns the path of a file next to an image.
func beside(image, suffix string) string {
	return strings.TrimSuffix(image, ".qcow2") + suffix
}

// arch returns Go's name of the image's architecture, amd64 if it has no manifest.
func (t *trial) arch() string {
	if t.manifest != nil && t.manifest.OSArch == "aarch64" {
		return "arm64"
	}
	return "amd64"
}

// record writes the outcome into the manifest beside an image.
func (t *trial) record(image string) error {
	if t.manifest == nil {
		return nil
	}
	m := *t.manifest
	m.Verified = &manifest.Verification{
		Suite:           acceptance.Suite,
		SHA256:          m.SHA256,
		ModelDiskSHA256: t.modelSHA256,
		Time:            time.Now().Unix(),
		Passed:          t.report.Passed(),
		Boots:           len(t.report.Boots),
		Checks:          t.report.Checks(),
	}
	return manifest.Write(manifest.Path(image), m)
}

// serialLog returns the path of the console log of the trial. The build's console log, next
// to the image too, has another name.
func serialLog(image string) string {
	return beside(image, ".verify"+appliance.SerialLogSuffix)
}

// writeReports writes the report as text and as JSON next to an image, and returns the
// paths.
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

// checkUntouched returns an error if the image file was replaced or changed.
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
