package ociimage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

const (
	// maxDepth is how many indexes may lie within each other; tools make two.
	maxDepth = 4
	// maxUnnamed is how many manifests are read to learn what they are for.
	maxUnnamed = 64
)

// errMissing is what an archive says of a part that it does not hold: those of another
// architecture are often left out.
var errMissing = errors.New("is not in the archive")

// errArtifact is what is said of a signature or an attestation, which registries keep as images.
var errArtifact = errors.New("is an artifact, not an image")

// search looks for the image of one architecture in what a tag or an archive refers to: the image
// itself, or an index of images and further indexes.
type search struct {
	store
	arch string
	// unnamed counts the manifests that were read because no index says what they are for.
	unnamed int
	// others are the platforms of the images that were passed over.
	others []string
}

// candidate is an image for the right architecture.
type candidate struct {
	manifest
	variant string
}

// find returns the manifest of the image. Of several, it prefers the one for the most basic CPU
// variant, because it runs on all.
func (s *search) find(ctx context.Context, m manifest) (manifest, error) {
	if m.Manifests == nil {
		platform, err := s.platform(ctx, m)
		if err == nil && platform.Architecture != "" && !s.fits(platform) {
			err = fmt.Errorf("is for %s, and linux/%s is wanted", shown(platform), s.arch)
		}
		return m, err
	}
	found, err := s.candidates(ctx, m, 1)
	if err != nil {
		return manifest{}, err
	}
	if len(found) == 0 {
		return manifest{}, s.nothing()
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return strings.Compare(a.variant, b.variant) })
	if len(found) > 1 && found[1].variant == found[0].variant && found[1].Config.Digest != found[0].Config.Digest {
		return manifest{}, s.several()
	}
	return found[0].manifest, nil
}

func (s *search) nothing() error {
	return fmt.Errorf("has no image for linux/%s, only for: %s", s.arch, cmp.Or(strings.Join(s.others, ", "), "nothing"))
}

func (s *search) several() error {
	return fmt.Errorf("has several images for linux/%s: use one that has the backend alone", s.arch)
}

// candidates returns the images of an index that are for the right architecture. An index need not
// say what its images are for (image-spec, image-index.md: "platform" is optional): then their
// configurations are asked, unless another image is said to be the right one.
func (s *search) candidates(ctx context.Context, index manifest, depth int) ([]candidate, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("has more than %d indexes within each other", maxDepth)
	}
	var named, unnamed []ocispec.Descriptor
	for _, d := range index.Manifests {
		switch {
		case d.Platform == nil || d.Platform.OS == "" || d.Platform.Architecture == "":
			unnamed = append(unnamed, d)
		case s.fits(*d.Platform):
			named = append(named, d)
		// Attestations in an index have the platform "unknown/unknown".
		case d.Platform.OS != "unknown":
			s.others = append(s.others, shown(*d.Platform))
		}
	}
	if len(named) == 0 {
		return s.amongUnnamed(ctx, unnamed, depth)
	}
	best := slices.MinFunc(named, func(a, b ocispec.Descriptor) int {
		return strings.Compare(a.Platform.Variant, b.Platform.Variant)
	})
	if slices.ContainsFunc(named, func(d ocispec.Descriptor) bool {
		return d.Platform.Variant == best.Platform.Variant && d.Digest != best.Digest
	}) {
		return nil, s.several()
	}
	m, err := s.load(ctx, best)
	if err != nil {
		return nil, err
	}
	if m.Manifests != nil {
		return s.candidates(ctx, m, depth+1)
	}
	m, err = s.find(ctx, m)
	return []candidate{{m, best.Platform.Variant}}, err
}

// amongUnnamed asks the configurations of images what they are for.
func (s *search) amongUnnamed(ctx context.Context, descriptors []ocispec.Descriptor, depth int) ([]candidate, error) {
	var all []candidate
	for _, d := range descriptors {
		if s.unnamed++; s.unnamed > maxUnnamed {
			return nil, fmt.Errorf("has more than %d images of which it does not say what they are for", maxUnnamed)
		}
		found, err := s.unnamedImages(ctx, d, depth)
		switch {
		case errors.Is(err, errMissing):
			s.others = append(s.others, "one that "+errMissing.Error())
		case err != nil && !errors.Is(err, errArtifact):
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (s *search) unnamedImages(ctx context.Context, d ocispec.Descriptor, depth int) ([]candidate, error) {
	m, err := s.load(ctx, d)
	if err != nil {
		return nil, err
	}
	if m.Manifests != nil {
		return s.candidates(ctx, m, depth+1)
	}
	platform, err := s.platform(ctx, m)
	switch {
	case err != nil:
		return nil, err
	case platform.Architecture == "":
		return nil, errArtifact
	case s.fits(platform):
		return []candidate{{m, platform.Variant}}, nil
	}
	s.others = append(s.others, shown(platform))
	return nil, nil
}

func (s *search) load(ctx context.Context, d ocispec.Descriptor) (manifest, error) {
	file, err := s.manifest(ctx, d.Digest.String(), d.Size)
	if err != nil {
		return manifest{}, err
	}
	return read(file)
}

func read(file fetch.File) (manifest, error) {
	var m manifest
	if err := readDocument(file, &m); err != nil {
		return manifest{}, err
	}
	if m.isArtifact() {
		return manifest{}, errArtifact
	}
	return m, m.check()
}

// platform reads from the configuration of an image what it is for.
func (s *search) platform(ctx context.Context, m manifest) (ocispec.Platform, error) {
	file, err := s.blob(ctx, m.Config.Digest.String(), m.Config.Size)
	if err != nil {
		return ocispec.Platform{}, err
	}
	return readPlatform(file)
}

func readPlatform(file fetch.File) (ocispec.Platform, error) {
	var config struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
	}
	err := readDocument(file, &config)
	return ocispec.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant}, err
}

// spellings are other names of architectures, as containerd takes them (platforms/database.go).
var spellings = map[string]string{"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}

// fits reports whether an image runs here.
func (s *search) fits(p ocispec.Platform) bool {
	arch := strings.ToLower(p.Architecture)
	return (p.OS == "" || p.OS == "linux") && cmp.Or(spellings[arch], arch) == s.arch
}

func shown(p ocispec.Platform) string { return cmp.Or(p.OS, "linux") + "/" + p.Architecture }
