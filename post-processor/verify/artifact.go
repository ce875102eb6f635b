package verify

import (
	"errors"
	"os"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// provenArtifact is a verified image. It does not refer to the artifact it was made from,
// which Packer may destroy once the post-processor has returned.
type provenArtifact struct {
	id      string
	files   []string
	reports []string
	state   map[string]string
}

var _ packersdk.Artifact = (*provenArtifact)(nil)

func newArtifact(input packersdk.Artifact, image string, reports []string) *provenArtifact {
	a := &provenArtifact{
		id:      input.Id(),
		files:   append(append([]string(nil), input.Files()...), reports...),
		reports: reports,
		state: map[string]string{
			appliance.StateImagePath:        image,
			appliance.StateVerifyReportPath: reports[len(reports)-1],
		},
	}
	for _, key := range []string{appliance.StateManifestPath, appliance.StateModelImagePath} {
		if path, ok := input.State(key).(string); ok {
			a.state[key] = path
		}
	}
	return a
}

func (a *provenArtifact) BuilderId() string { return appliance.VerifyBuilderID }

func (a *provenArtifact) Files() []string { return a.files }

// Id is the id of the input, because verifying does not change the image.
func (a *provenArtifact) Id() string { return a.id }

func (a *provenArtifact) String() string {
	return a.state[appliance.StateImagePath] + ", verified: " + a.reports[0]
}

func (a *provenArtifact) State(name string) any {
	if value, ok := a.state[name]; ok {
		return value
	}
	return nil
}

// Destroy removes the reports. The image belongs to the input artifact.
func (a *provenArtifact) Destroy() error {
	var errs []error
	for _, report := range a.reports {
		if err := os.Remove(report); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
