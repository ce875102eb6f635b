package ociimage

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

// manifest is an image manifest or an image index; only an index has manifests.
type manifest struct {
	ocispec.Manifest
	Manifests []ocispec.Descriptor `json:"manifests"`
}

func shown(p ocispec.Platform) string { return p.OS + "/" + p.Architecture }

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
		if d.Size <= 0 {
			mistakes = append(mistakes, fmt.Errorf("its manifest gives %d bytes as a size", d.Size))
		}
	}
	if m.Manifests == nil && len(m.Layers) == 0 {
		mistakes = append(mistakes, errors.New("has no layers"))
	}
	return errors.Join(mistakes...)
}

// choose finds the image for Linux on arch in an index. Of several, it prefers the one for the
// most basic CPU variant, because it runs on all.
func (m manifest) choose(arch string) (ocispec.Descriptor, error) {
	var fitting []ocispec.Descriptor
	var others []string
	for _, d := range m.Manifests {
		if d.Platform == nil {
			d.Platform = &ocispec.Platform{}
		}
		switch {
		case d.Platform.OS == "linux" && d.Platform.Architecture == arch:
			fitting = append(fitting, d)
		// Attestations in an index have the platform "unknown/unknown".
		case d.Platform.OS != "unknown":
			others = append(others, shown(*d.Platform))
		}
	}
	if len(fitting) == 0 {
		return ocispec.Descriptor{}, fmt.Errorf("has no image for linux/%s, only for: %s", arch, strings.Join(others, ", "))
	}
	return slices.MinFunc(fitting, func(a, b ocispec.Descriptor) int {
		return strings.Compare(a.Platform.Variant, b.Platform.Variant)
	}), nil
}
