package ociimage

import (
	"context"
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

// Puller brings images to this host. Make one with NewPuller.
type Puller struct {
	// Meter replaces how the progress of a download is reported; nil is one line every
	// few seconds.
	Meter func(label string, total int64) *progress.Meter

	cacheDir string
	say      func(string)
}

// NewPuller returns a Puller that keeps what it downloads in cacheDir, which it may share
// with a fetch.Fetcher, and reports through say.
func NewPuller(cacheDir string, say func(string)) *Puller {
	return &Puller{cacheDir: cacheDir, say: say}
}

// Request is the image that is wanted.
type Request struct {
	// Field is the configuration block it comes from ("backend"), for messages.
	Field string
	// Source satisfies CheckReference.
	Source string
	// Digest is "sha256:<hex>", of an image or of an index of images. Empty takes what the
	// tag names now, and says so; so does a Source without a digest.
	Digest string
	// Arch is Go's word for the processor ("amd64", "arm64").
	Arch string
	// Token is shown to the registry as a bearer token, and to nobody else. Without one,
	// what docker login left is used, or no login at all.
	Token string
}

// Image is an image on this host, verified.
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

// Digest is what a Request must say to get this image again, "sha256:<hex>": that of the
// index where the tag names an index.
func (i *Image) Digest() string { return i.digest }

// Size is that of all layers as they are stored, in bytes.
func (i *Image) Size() (total int64) {
	for _, l := range i.layers {
		total += l.size
	}
	return total
}

// Pull brings everything of the image into the cache.
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

// Resolve tells digest and size, as Image does, of what Pull would bring, without
// bringing the layers.
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

// session is one Request on its way.
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
