package ociimage

import (
	"context"
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

// Puller downloads images to this host. Create one with NewPuller.
type Puller struct {
	// Meter creates the meter for the progress of a download; if it is nil, a line is printed
	// every few seconds.
	Meter func(label string, total int64) *progress.Meter

	cacheDir string
	say      func(string)
}

// NewPuller returns a Puller that keeps what it downloads in cacheDir, which it may share
// with a fetch.Fetcher, and reports through say.
func NewPuller(cacheDir string, say func(string)) *Puller {
	return &Puller{cacheDir: cacheDir, say: say}
}

// Request describes the requested image.
type Request struct {
	// Field is the configuration block the image comes from ("backend"), for messages.
	Field string
	// Source must satisfy CheckReference.
	Source string
	// Digest is "sha256:<hex>", of an image or of an index of images. If it is empty and
	// Source has no digest either, Pull takes what the tag refers to now, and says so.
	Digest string
	// Arch is a GOARCH value ("amd64", "arm64").
	Arch string
	// Token is sent as a bearer token, to this registry only. Without one, the credentials
	// stored by docker login are used or, if there are none, anonymous access.
	Token string
}

// Image is a verified image on this host.
type Image struct {
	field  string
	digest string
	layers []layer
}

// layer is a verified file in the cache, compressed or not.
type layer struct {
	digest string
	path   string
	size   int64
}

// Digest returns the Request.Digest that yields this image again, "sha256:<hex>": that of the
// index if the tag refers to an index.
func (i *Image) Digest() string { return i.digest }

// Size returns the total size of all layers as stored, in bytes.
func (i *Image) Size() (total int64) {
	for _, l := range i.layers {
		total += l.size
	}
	return total
}

// Pull downloads everything that belongs to the image to the cache.
func (p *Puller) Pull(ctx context.Context, r Request) (*Image, error) {
	s, err := p.open(r)
	if err != nil {
		return nil, err
	}
	image, err := s.describe(ctx)
	if err != nil {
		return nil, err
	}
	for i := range image.layers {
		l := &image.layers[i]
		file, err := s.blob(ctx, l.digest, l.size)
		if err != nil {
			return nil, err
		}
		l.path = file.Path
	}
	return image, nil
}

// Resolve returns digest and size, as defined by Image, of what Pull would download, without
// downloading the layers.
func (p *Puller) Resolve(ctx context.Context, r Request) (digest string, size int64, err error) {
	s, err := p.open(r)
	if err != nil {
		return "", 0, err
	}
	image, err := s.describe(ctx)
	if err != nil {
		return "", 0, err
	}
	return image.Digest(), image.Size(), nil
}

// session is the state of one Request.
type session struct {
	Request
	ref     reference
	fetcher *fetch.Fetcher
}

func (p *Puller) open(r Request) (*session, error) {
	ref, err := parseReference(r.Source)
	if err == nil && r.Digest != "" && ref.digest != "" && !strings.EqualFold(r.Digest, ref.digest) {
		err = fmt.Errorf("names %s, but %s was asked for: remove one, or make them equal", ref.digest, r.Digest)
	}
	if err != nil {
		return nil, fmt.Errorf("%s.source: %w", r.Field, err)
	}
	if r.Digest == "" {
		r.Digest = ref.digest
	} else if err := checkDigest(r.Digest); err != nil {
		return nil, fmt.Errorf("%s.checksum: %w", r.Field, err)
	}
	fetcher := fetch.NewVia(p.cacheDir, p.say, newTransport(ref, r.Token))
	if p.Meter != nil {
		fetcher.Meter = p.Meter
	}
	return &session{r, ref, fetcher}, nil
}
