package ociimage

import (
	"context"
	"errors"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

// store is where the parts of an image are: a registry or an archive. What it returns has the
// digest that was asked for.
type store interface {
	manifest(ctx context.Context, digest string, size int64) (fetch.File, error)
	blob(ctx context.Context, digest string, size int64) (fetch.File, error)
}

// describe determines what the image consists of.
func (s *session) describe(ctx context.Context) (*Image, error) {
	top, err := s.top(ctx)
	if err != nil {
		return nil, err
	}
	search := search{store: s, arch: s.Arch}
	m, err := read(top)
	if err == nil {
		m, err = search.find(ctx, m)
	}
	if err != nil {
		return nil, s.wrong(err)
	}
	image := &Image{field: s.Field, digest: digest.SHA256Prefix + top.SHA256}
	for _, d := range m.Layers {
		image.layers = append(image.layers, layer{digest: d.Digest.String(), size: d.Size})
	}
	return image, nil
}

// top downloads the manifest or index that the digest or, without one, the tag refers to.
func (s *session) top(ctx context.Context) (fetch.File, error) {
	if s.Digest == "" {
		return s.fetch(ctx, "manifests", s.ref.tag, "", 0)
	}
	return s.manifest(ctx, s.Digest, 0)
}

func (s *session) manifest(ctx context.Context, sum string, size int64) (fetch.File, error) {
	return s.fetch(ctx, "manifests", sum, sum, size)
}

func (s *session) blob(ctx context.Context, sum string, size int64) (fetch.File, error) {
	return s.fetch(ctx, "blobs", sum, sum, size)
}

func (s *session) fetch(ctx context.Context, kind, identifier, sum string, size int64) (fetch.File, error) {
	file, err := s.fetcher.Fetch(ctx, fetch.Payload{
		Field: s.Field, Source: s.ref.url(kind, identifier), Checksum: sum, Size: size,
	})
	if err != nil {
		return fetch.File{}, fetchError{err}
	}
	return file, nil
}

// fetchError marks errors of downloads, which name their field and their source themselves.
type fetchError struct{ error }

func (e fetchError) Unwrap() error { return e.error }

func (s *session) wrong(err error) error {
	if failed := (fetchError{}); errors.As(err, &failed) {
		return failed.error
	}
	return fmt.Errorf("%s.source: %s: %w", s.Field, s.Source, err)
}
