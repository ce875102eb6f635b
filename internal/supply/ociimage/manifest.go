package ociimage

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

// manifest is an image manifest or an image index; only an index has manifests.
type manifest struct {
	ocispec.Manifest
	Manifests []ocispec.Descriptor `json:"manifests"`
}

// maxSize is in bytes: what no registry serves, and the sum of what a manifest lists cannot
// overflow.
const maxSize = 1 << 44

// maxDocument is the largest manifest, in bytes, that registries accept.
const maxDocument = 4 << 20

func readDocument(file fetch.File, into any) error {
	if file.Size > maxDocument {
		return fmt.Errorf("%d bytes are too many for a manifest", file.Size)
	}
	content, err := os.ReadFile(file.Path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("is not JSON: %w", err)
	}
	return nil
}

// imageConfigs are the types of the configuration of an image.
var imageConfigs = []string{"", ocispec.MediaTypeImageConfig, string(types.DockerConfigJSON)}

func (m manifest) isArtifact() bool {
	return m.Manifests == nil && (m.ArtifactType != "" || !slices.Contains(imageConfigs, m.Config.MediaType))
}

// check returns everything that prevents m from being used.
func (m manifest) check() error {
	if m.SchemaVersion != 2 {
		return fmt.Errorf("has a manifest of schema version %d, which registries gave up years ago: push the image again with a present-day tool", m.SchemaVersion)
	}
	var mistakes []error
	all := append(slices.Clone(m.Manifests), m.Layers...)
	if m.Manifests == nil {
		all = append(all, m.Config)
	}
	for _, d := range all {
		if err := checkDigest(d.Digest.String()); err != nil {
			mistakes = append(mistakes, fmt.Errorf("its manifest names a digest that %w", err))
		}
		if d.Size <= 0 || d.Size > maxSize {
			mistakes = append(mistakes, fmt.Errorf("its manifest gives %d bytes as a size", d.Size))
		}
	}
	if m.Manifests == nil && len(m.Layers) == 0 {
		mistakes = append(mistakes, errors.New("has no layers"))
	}
	return errors.Join(mistakes...)
}
