package cloud

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// Names of the attributes that label our objects. Objects without them are never changed.
const (
	// labelFamily is the app name and the architecture, which all versions share.
	labelFamily = "SLM_COPILOT_APP"
	// labelPart identifies the object among those of one version.
	labelPart    = "SLM_COPILOT_PART"
	labelVersion = "SLM_COPILOT_VERSION"
	// labelSHA256 is the digest of the image that the object contains or belongs to.
	labelSHA256 = "SLM_COPILOT_SHA256"
	labelBuild  = "SLM_COPILOT_BUILD"
	// labelRun is unique to each run.
	labelRun = "SLM_COPILOT_RUN"
)

// The parts of one version.
const (
	partSystem  = "system"
	partModel   = "model"
	partVM      = "vm"
	partService = "service"
	// The value is "claim" because earlier releases stored that.
	partLease = "claim"
)

// newRun returns a label that identifies this run to people and is unique, such as "ci-7
// pid 123 4f3a2b1c4f3a2b1c".
func newRun() opennebula.Label {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	unique := make([]byte, 8)
	_, _ = rand.Read(unique) // crypto/rand never fails
	return opennebula.Label{Name: labelRun, Value: fmt.Sprintf("%s pid %d %s", host, os.Getpid(), hex.EncodeToString(unique))}
}

// labels returns the labels of an object of this version.
func (a Appliance) labels(part, sha256 string) opennebula.Template {
	return opennebula.Template{
		{Name: labelFamily, Value: a.family()},
		{Name: labelPart, Value: part},
		{Name: labelVersion, Value: a.App.Version},
		{Name: labelSHA256, Value: sha256},
		{Name: labelBuild, Value: a.system().Manifest.BuildID},
	}
}

// isPart reports whether an object is the given part of any version of the appliance.
func (a Appliance) isPart(t opennebula.Template, part string) bool {
	return t.Get(labelFamily) == a.family() && t.Get(labelPart) == part
}

// isThisVersion expects an object of the same family.
func (a Appliance) isThisVersion(t opennebula.Template) bool {
	return t.Get(labelVersion) == a.App.Version
}
