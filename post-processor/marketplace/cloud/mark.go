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
	// markFamily is the name of the app and the architecture: what versions are versions of.
	markFamily = "SLM_COPILOT_APP"
	// markPart says which of the objects of one version it is.
	markPart    = "SLM_COPILOT_PART"
	markVersion = "SLM_COPILOT_VERSION"
	// markSHA256 is that of the image the object holds or belongs to.
	markSHA256 = "SLM_COPILOT_SHA256"
	markBuild  = "SLM_COPILOT_BUILD"
	// markRun differs from run to run.
	markRun = "SLM_COPILOT_RUN"
)

// Parts of one version.
const (
	partSystem  = "system"
	partModel   = "model"
	partVM      = "vm"
	partService = "service"
	partClaim   = "claim"
)

// newRun names this run for people and tells it from all others: "ci-7 pid 123 4f3a2b1c".
func newRun() opennebula.Mark {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	unique := make([]byte, 8)
	_, _ = rand.Read(unique) // never fails (crypto/rand)
	return opennebula.Mark{Name: markRun, Value: fmt.Sprintf("%s pid %d %s", host, os.Getpid(), hex.EncodeToString(unique))}
}

// marks are the attributes of an object of this version.
func (a Appliance) marks(part, sha256 string) opennebula.Template {
	return opennebula.Template{
		{Name: markFamily, Value: a.family()},
		{Name: markPart, Value: part},
		{Name: markVersion, Value: a.App.Version},
		{Name: markSHA256, Value: sha256},
		{Name: markBuild, Value: a.system().Manifest.BuildID},
	}
}

// isPart tells whether an object is a part of some version of the appliance.
func (a Appliance) isPart(t opennebula.Template, part string) bool {
	return t.Get(markFamily) == a.family() && t.Get(markPart) == part
}

// isThisVersion is for an object of the family.
func (a Appliance) isThisVersion(t opennebula.Template) bool {
	return t.Get(markVersion) == a.App.Version
}
