package provisioner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
)

// fetchBackend turns any kind of backend source into one archive, because a single file can
// be verified after the upload.
func (b *bake) fetchBackend(ctx context.Context) (fetch.File, error) {
	p := b.pinned[fieldBackend]
	if ociimage.IsReference(p.input.Source) {
		return b.pullBackend(ctx, p)
	}
	info, err := os.Stat(p.input.Source)
	isDirectory := err == nil && info.IsDir()
	switch {
	case isDirectory && p.input.Digest != "":
		return fetch.File{}, fmt.Errorf("backend.checksum: %s is a directory and has no checksum: remove the attribute", p.input.Source)
	case isDirectory:
		return b.packBackend(ctx, p)
	case p.checksum() == "" && looksLikeDirectory(p.input.Source) && !b.config.AllowUnpinned:
		return fetch.File{}, fmt.Errorf("backend.source: %s is not a directory, and only a directory needs no backend.checksum", p.input.Source)
	}
	file, err := b.fetch(ctx, fieldBackend)
	if err != nil {
		return fetch.File{}, err
	}
	return b.flattenBackend(ctx, file)
}

// flattenBackend replaces an archive that holds an image by one of the files of the image.
func (b *bake) flattenBackend(ctx context.Context, archive fetch.File) (fetch.File, error) {
	holdsImage, err := ociimage.HoldsImage(ctx, archive.Path, entryPoint)
	if err != nil {
		return fetch.File{}, fmt.Errorf("backend.source: %w", err)
	}
	if !holdsImage {
		return archive, nil
	}
	b.say("the backend is an image in a file: unpacking it on this host")
	image := ociimage.File{Field: fieldBackend, Path: archive.Path, Arch: b.arch, Scratch: b.cacheDir}
	return b.pack(func(w io.Writer) error { return image.WriteTar(ctx, w) })
}

func (b *bake) pullBackend(ctx context.Context, p pinned) (fetch.File, error) {
	image, err := b.puller.Pull(ctx, ociimage.Request{
		Field: fieldBackend, Source: p.input.Source, Digest: p.input.Digest, Arch: b.arch, Token: p.token,
	})
	if err != nil {
		return fetch.File{}, err
	}
	file, err := b.pack(func(w io.Writer) error { return image.WriteTar(ctx, w) })
	if err != nil {
		return fetch.File{}, err
	}
	b.note(p.input, image.Digest(), image.Size())
	return file, nil
}

func (b *bake) packBackend(ctx context.Context, p pinned) (fetch.File, error) {
	file, err := b.pack(func(w io.Writer) error { return packDirectory(ctx, p.input.Source, w) })
	if err != nil {
		return fetch.File{}, fmt.Errorf("backend.source: %w", err)
	}
	b.note(p.input, digest.SHA256Prefix+file.SHA256, file.Size)
	return file, nil
}

// pack writes a temporary archive, which is removed at the end of the run.
func (b *bake) pack(write func(io.Writer) error) (fetch.File, error) {
	if err := os.MkdirAll(b.cacheDir, 0o755); err != nil {
		return fetch.File{}, fmt.Errorf("create the cache directory: %w", err)
	}
	file, err := os.CreateTemp(b.cacheDir, "backend-*.tar")
	if err != nil {
		return fetch.File{}, err
	}
	b.payload.packed = file.Name()
	defer file.Close()
	sum := sha256.New()
	if err := write(io.MultiWriter(file, sum)); err != nil {
		return fetch.File{}, err
	}
	info, err := file.Stat()
	if err := errors.Join(err, file.Close()); err != nil {
		return fetch.File{}, err
	}
	return fetch.File{Path: file.Name(), SHA256: hex.EncodeToString(sum.Sum(nil)), Size: info.Size()}, nil
}
