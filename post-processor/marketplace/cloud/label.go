package cloud

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// Names of the attributes by which our objects are known. Objects without them are left
// alone.
const (
	// labelFamily is the name of the app and the architecture: what versions are versions of.
	labelFamily = "SLM_COPILOT_APP"
	// labelPart says which of the objects of one version it is.
	labelPart    = "SLM_COPILOT_PART"
	labelVersion = "SLM_COPILOT_VERSION"
	// labelSHA256 is that of the image the object holds or belongs to.
	labelSHA256 = "SLM_COPILOT_SHA256"
	labelBuild  = "SLM_COPILOT_BUILD"
	// labelRun differs from run to run.
	labelRun = "SLM_COPILOT_RUN"
)

// Parts of one version.
const (
	partSystem  = "system"
	partModel   = "model"
	partVM      = "vm"
	partService = "service"
	// Earlier releases stored "claim" too.
	partLease = "claim"
)

// newRun labels this run for people and tells it from all others: "ci-7 pid 123 4f3a2b1c".
func newRun() opennebula.Label {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	unique := make([]byte, 8)
	_, _ = rand.Read(unique) // never fails (crypto/rand)
	return opennebula.Label{Name: labelRun, Value: fmt.Sprintf("%s pid %d %s", host, os.Getpid(), hex.EncodeToString(unique))}
}

// labels are the attributes of an object of this version.
func (a Appliance) labels(part, sha256 string) opennebula.Template {
	return opennebula.Template{
		{Name: labelFamily, Value: a.family()},
		{Name: labelPart, Value: part},
		{Name: labelVersion, Value: a.App.Version},
		{Name: labelSHA256, Value: sha256},
		{Name: labelBuild, Value: a.system().Manifest.BuildID},
	}
}

// isPart tells whether an object is a part of some version of the appliance.
func (a Appliance) isPart(t opennebula.Template, part string) bool {
	return t.Get(labelFamily) == a.family() && t.Get(labelPart) == part
}

// isThisVersion is for an object of the family.
func (a Appliance) isThisVersion(t opennebula.Template) bool {
	return t.Get(labelVersion) == a.App.Version
}
