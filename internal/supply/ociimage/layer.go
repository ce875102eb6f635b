package ociimage

import (
	"context"
	"errors"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/ctxio"
)

// compressedFile implements what partial.CompressedToLayer needs to distinguish gzip, zstd and
// plain tar, by the first bytes and not by what a manifest claims.
type compressedFile struct {
	layer
	ctx context.Context
}

func (f compressedFile) Digest() (v1.Hash, error)            { return v1.NewHash(f.digest) }
func (f compressedFile) Size() (int64, error)                { return f.size, nil }
func (f compressedFile) MediaType() (types.MediaType, error) { return types.OCILayer, nil }
func (f compressedFile) Compressed() (io.ReadCloser, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{ctxio.Reader(f.ctx, file), file}, nil
}

// open returns the tar archive of the layer.
func (l layer) open(ctx context.Context) (io.ReadCloser, error) {
	unpacked, err := partial.CompressedToLayer(compressedFile{l, ctx})
	if err != nil {
		return nil, err
	}
	return unpacked.Uncompressed()
}

// budget limits how many bytes an image may still unpack to.
type budget struct{ left int64 }

// newBudget allows 1 GiB plus twenty times the download size: programs compress to a half or a
// third, a decompression bomb to a thousandth.
func newBudget(compressed int64) *budget { return &budget{1<<30 + 20*compressed} }

// reader subtracts what it reads from the budget.
func (b *budget) reader(r io.Reader) io.Reader { return &budgetReader{r, b} }

type budgetReader struct {
	io.Reader
	*budget
}

func (r *budgetReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if over := r.spend(int64(n)); over != nil {
		return n, over
	}
	return n, err
}

func (b *budget) spend(n int64) error {
	if n > b.left {
		b.left = -1
		return errors.New("the image unpacks to more than 1 GiB and twenty times its size, which no program does")
	}
	b.left -= n
	return nil
}
