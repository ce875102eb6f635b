package builder

import (
	"fmt"
	"os"
	"path/filepath"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/packer/registry/image"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// artifact is the Packer artifact of a build: the files in the published output directory.
type artifact struct {
	directory string
	image     string
	files     []string
	manifest  manifest.Manifest
	state     map[string]any
}

var _ packersdk.Artifact = (*artifact)(nil)

func newArtifact(b *build) *artifact {
	a := &artifact{
		directory: b.config.OutputDirectory,
		image:     b.publishedPath(b.image()),
		manifest:  b.manifest,
	}
	a.files = []string{a.image, manifest.Path(a.image)}
	a.state = map[string]any{
		appliance.StateImagePath:    a.image,
		appliance.StateManifestPath: manifest.Path(a.image),
		"generated_data":            b.generated(),
		image.ArtifactStateURI:      a.registryImage(sourceuri.Shown(b.config.BaseImage)),
	}
	if b.config.ModelDisk {
		model := b.publishedPath(b.modelImage())
		a.files = append(a.files, model, manifest.Path(model))
		a.state[appliance.StateModelImagePath] = model
	}
	if b.baked.there() {
		for _, suffix := range []string{appliance.LockSuffix, appliance.SBOMSuffix, appliance.LicensesSuffix} {
			a.files = append(a.files, b.publishedPath(b.beside(suffix)))
		}
	}
	a.files = append(a.files, b.publishedPath(b.beside(appliance.ProvenanceSuffix)))
	return a
}

// registryImage is the metadata that Packer sends to the HCP Packer registry.
func (a *artifact) registryImage(base string) *image.Image {
	return &image.Image{
		ImageID:        a.Id(),
		ProviderName:   appliance.Name,
		ProviderRegion: filepath.Dir(a.image),
		SourceImageID:  base,
		Labels: map[string]string{
			"name": a.manifest.Name, "version": a.manifest.Version,
			"os_id": a.manifest.OSID, "os_release": a.manifest.OSRelease, "os_arch": a.manifest.OSArch,
		},
	}
}

func (a *artifact) BuilderId() string { return appliance.BuilderID }

// Id is the SHA-256 of the image, as "sha256:<hex>": copies of the image have the same one.
func (a *artifact) Id() string { return digest.SHA256Prefix + a.manifest.SHA256 }

func (a *artifact) Files() []string { return a.files }

func (a *artifact) String() string {
	return fmt.Sprintf("%s (%s, %s)", a.image, progress.Bytes(a.manifest.FileSize), a.Id())
}

func (a *artifact) State(name string) any { return a.state[name] }

// Destroy removes the output directory, which this build made.
func (a *artifact) Destroy() error { return os.RemoveAll(a.directory) }
