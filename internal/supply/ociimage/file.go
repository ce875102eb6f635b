package ociimage

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/diskspace"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/filekind"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

// The files at the top of an archive that holds an image: those of an OCI image layout
// (image-spec, image-layout.md), and the one of docker save (moby's image/spec/v1.2.md).
const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
	savedFile  = "manifest.json"
)

// File is an image in a tar archive on this host, compressed or not, as docker save, podman save,
// skopeo and buildx write it.
type File struct {
	// Field is the configuration block the image comes from ("backend"), for messages.
	Field, Path string
	// Arch is a GOARCH value.
	Arch string
	// Scratch is a directory that holds the parts of the image for as long as they are read.
	Scratch string
}

var errKnown = errors.New("what the archive is, is known")

// HoldsImage reports whether the archive at name is an image. One that has entryPoint at its top is
// what an image would be flattened to.
func HoldsImage(ctx context.Context, name, entryPoint string) (bool, error) {
	info, err := os.Stat(name)
	if err != nil {
		return false, err
	}
	image := false
	archive := layer{path: name, size: info.Size()}
	err = archive.each(ctx, newBudget(info.Size()), func(_ int, header *tar.Header, _ io.Reader) error {
		switch cleaned(header.Name) {
		case layoutFile:
			image = true
			return errKnown
		case savedFile:
			image = true
		case entryPoint:
			image = false
			return errKnown
		}
		return nil
	})
	if err != nil && !errors.Is(err, errKnown) {
		return false, notReadable(name, err)
	}
	return image, nil
}

func notReadable(name string, err error) error {
	err = fmt.Errorf("%s is no tar archive that can be read: %w", name, err)
	if kind, _ := filekind.Of(name); kind.Is == "is compressed (gzip)" || kind.Is == "is compressed (zstd)" {
		return err // what is in it is at fault
	}
	return filekind.Instead(err, name, name)
}

func cleaned(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// WriteTar writes the files of the image as Image.WriteTar does.
func (f File) WriteTar(ctx context.Context, w io.Writer) error {
	if err := os.MkdirAll(f.Scratch, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(f.Scratch, "image-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	image, err := f.read(ctx, dir)
	if err != nil {
		return fmt.Errorf("%s.source: %s: %w", f.Field, f.Path, err)
	}
	return image.WriteTar(ctx, w)
}

func (f File) read(ctx context.Context, dir string) (*Image, error) {
	parts, err := f.unpack(ctx, dir)
	if err != nil {
		return nil, err
	}
	layers, err := parts.layout(ctx, f.Arch)
	if errors.Is(err, errNoImage) {
		layers, err = parts.saved(f.Arch)
	}
	return &Image{field: f.Field, layers: layers}, err
}

// maxParts is how many files an archive with an image may have: three for each of some hundred
// layers, in each of some images.
const maxParts = 1 << 12

// parts are the files of an archive with an image, by their names in it.
type parts struct {
	files map[string]fetch.File
	// links are the files that are only other names: docker save writes a layer once.
	links map[string]string
}

// unpack writes the files to dir under numbers, so that no name in the archive becomes a path.
func (f File) unpack(ctx context.Context, dir string) (*parts, error) {
	info, err := os.Stat(f.Path)
	if err != nil {
		return nil, err
	}
	p := &parts{files: map[string]fetch.File{}, links: map[string]string{}}
	archive := layer{path: f.Path, size: info.Size()}
	err = archive.each(ctx, newBudget(info.Size()), func(index int, header *tar.Header, content io.Reader) error {
		if index >= maxParts {
			return fmt.Errorf("is one of more than %d files, which no archive with an image has", maxParts)
		}
		name := cleaned(header.Name)
		switch header.Typeflag {
		case tar.TypeReg:
			if err := checkRoom(dir, header.Size); err != nil {
				return err
			}
			file, err := keep(filepath.Join(dir, strconv.Itoa(index)), content)
			p.files[name] = file
			return err
		case tar.TypeSymlink:
			p.links[name] = cleaned(path.Dir(name) + "/" + header.Linkname)
		case tar.TypeLink:
			p.links[name] = cleaned(header.Linkname)
		}
		return nil
	})
	return p, err
}

func checkRoom(dir string, size int64) error {
	free, err := diskspace.Free(dir)
	if err == nil && free-diskspace.Reserve < size {
		err = fmt.Errorf("needs %s in %s, which has %s free, and %s of them stay reserved: make room there, or set PACKER_CACHE_DIR to a larger disk",
			progress.Bytes(size), dir, progress.Bytes(free), progress.Bytes(diskspace.Reserve))
	}
	return err
}

func keep(name string, content io.Reader) (fetch.File, error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fetch.File{}, err
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, sum), content)
	return fetch.File{Path: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}, errors.Join(err, file.Close())
}

func (p *parts) find(name string) (fetch.File, error) {
	at := cleaned(name)
	for range maxHops {
		if file, ok := p.files[at]; ok {
			return file, nil
		}
		target, ok := p.links[at]
		if !ok {
			break
		}
		at = target
	}
	return fetch.File{}, fmt.Errorf("%q %w", name, errMissing)
}

func (p *parts) manifest(ctx context.Context, sum string, size int64) (fetch.File, error) {
	return p.blob(ctx, sum, size)
}

func (p *parts) blob(_ context.Context, sum string, size int64) (fetch.File, error) {
	digits := strings.TrimPrefix(sum, digest.SHA256Prefix)
	file, err := p.find("blobs/sha256/" + digits)
	if err != nil {
		return fetch.File{}, err
	}
	if file.SHA256 != strings.ToLower(digits) || file.Size != size {
		return fetch.File{}, fmt.Errorf("is damaged: %s has %d bytes and %s%s, but should have %d and %s",
			sum, file.Size, digest.SHA256Prefix, file.SHA256, size, sum)
	}
	return file, nil
}

var errNoImage = errors.New("holds no image: neither " + indexFile + " nor " + savedFile + " in it names one")

// layout returns the layers of the image in an OCI image layout.
func (p *parts) layout(ctx context.Context, arch string) ([]layer, error) {
	file, err := p.find(indexFile)
	if err != nil {
		return nil, errNoImage
	}
	var index manifest
	if err := readDocument(file, &index); err != nil {
		return nil, fmt.Errorf("its %s %w", indexFile, err)
	}
	if len(index.Manifests) == 0 {
		return nil, errNoImage
	}
	if err := index.check(); err != nil {
		return nil, err
	}
	search := search{store: p, arch: arch}
	m, err := search.find(ctx, index)
	if err != nil {
		return nil, err
	}
	var layers []layer
	for _, d := range m.Layers {
		file, err := p.blob(ctx, d.Digest.String(), d.Size)
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer{digest: d.Digest.String(), path: file.Path, size: file.Size})
	}
	return layers, nil
}

// savedImage is an entry of the manifest of docker save. Its names are those of files in the
// archive.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// saved returns the layers of the image that docker save wrote.
func (p *parts) saved(arch string) ([]layer, error) {
	file, err := p.find(savedFile)
	if err != nil {
		return nil, errNoImage
	}
	var all []savedImage
	if readDocument(file, &all) != nil {
		// Other archives have a file of that name, too.
		return nil, errNoImage
	}
	chosen, err := p.chooseSaved(all, arch)
	if err != nil {
		return nil, err
	}
	var layers []layer
	for _, name := range chosen.Layers {
		file, err := p.find(name)
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer{digest: name, path: file.Path, size: file.Size})
	}
	return layers, nil
}

func (p *parts) chooseSaved(all []savedImage, arch string) (savedImage, error) {
	search := search{arch: arch}
	var fitting []savedImage
	for _, image := range all {
		file, err := p.find(image.Config)
		if err != nil {
			return savedImage{}, err
		}
		platform, err := readPlatform(file)
		if err != nil {
			return savedImage{}, err
		}
		if platform.Architecture == "" || search.fits(platform) {
			fitting = append(fitting, image)
		} else {
			search.others = append(search.others, shown(platform))
		}
	}
	fitting = slices.CompactFunc(fitting, func(a, b savedImage) bool { return a.Config == b.Config })
	switch {
	case len(all) == 0:
		return savedImage{}, errNoImage
	case len(fitting) == 0:
		return savedImage{}, search.nothing()
	case len(fitting) > 1:
		return savedImage{}, search.several()
	case len(fitting[0].Layers) == 0:
		return savedImage{}, errors.New("has no layers")
	}
	return fitting[0], nil
}
