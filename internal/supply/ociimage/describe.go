package ociimage

import (
	"context"
	"errors"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

// describe determines what the image consists of.
func (s *session) describe(ctx context.Context) (*Image, error) {
	top, m, err := s.manifest(ctx, s.Digest, 0)
	if err != nil {
		return nil, err
	}
	if m.Manifests != nil {
		chosen, err := m.choose(s.Arch)
		if err != nil {
			return nil, s.wrong(err)
		}
		if _, m, err = s.manifest(ctx, chosen.Digest.String(), chosen.Size); err != nil {
			return nil, err
		}
		if m.Manifests != nil {
			return nil, s.wrong(errors.New("has an index inside an index"))
		}
	}
	if err := s.checkPlatform(ctx, m.Config); err != nil {
		return nil, err
	}
	image := &Image{field: s.Field, digest: top}
	for _, d := range m.Layers {
		image.layers = append(image.layers, layer{digest: d.Digest.String(), size: d.Size})
	}
	return image, nil
}

// manifest downloads one manifest or index; if wanted is "", the one the tag refers to now.
func (s *session) manifest(ctx context.Context, wanted string, size int64) (string, manifest, error) {
	identifier := wanted
	if wanted == "" {
		identifier = s.ref.tag
	}
	file, err := s.fetcher.Fetch(ctx, fetch.Payload{
		Field: s.Field, Source: s.ref.url("manifests", identifier), Checksum: wanted, Size: size,
	})
	if err != nil {
		return "", manifest{}, err
	}
	var m manifest
	if err := readDocument(file, &m); err != nil {
		return "", manifest{}, s.wrong(err)
	}
	if err := m.check(); err != nil {
		return "", manifest{}, s.wrong(err)
	}
	return digest.SHA256Prefix + file.SHA256, m, nil
}

// checkPlatform refuses an image for another architecture that comes without an index.
func (s *session) checkPlatform(ctx context.Context, config ocispec.Descriptor) error {
	file, err := s.blob(ctx, config.Digest.String(), config.Size)
	if err != nil {
		return err
	}
	var actual ocispec.Platform
	if err := readDocument(file, &actual); err != nil {
		return s.wrong(err)
	}
	if actual.Architecture != "" && actual.Architecture != s.Arch {
		return s.wrong(fmt.Errorf("is for %s, and linux/%s is wanted", shown(actual), s.Arch))
	}
	return nil
}

func (s *session) blob(ctx context.Context, sum string, size int64) (fetch.File, error) {
	return s.fetcher.Fetch(ctx, fetch.Payload{
		Field: s.Field, Source: s.ref.url("blobs", sum), Checksum: sum, Size: size,
	})
}

func (s *session) wrong(err error) error {
	return fmt.Errorf("%s.source: %s: %w", s.Field, s.Source, err)
}
