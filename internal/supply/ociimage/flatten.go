package ociimage

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxNames limits the memory that an image's names and links may take, in bytes: those of a whole
// distribution take some ten million.
const maxNames = 1 << 26

// flatten reads all layers, the lowest first, and returns what the image consists of.
func (i *Image) flatten(ctx context.Context) (*listing, error) {
	t := newTree()
	budget := newBudget(i.Size())
	for n, l := range i.layers {
		if err := t.addLayer(ctx, n, l, budget); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.digest, err)
		}
	}
	return list(ctx, t)
}

// member is what is kept of the header of one entry of an archive.
type member struct {
	name, link string
	kind       byte
	mode, size int64
	modTime    time.Time
}

// addLayer removes what the layer hides before it adds anything, so that the result does not
// depend on the order of the entries.
func (t *tree) addLayer(ctx context.Context, n int, l layer, b *budget) error {
	var members []member
	err := l.each(ctx, b, func(_ int, header *tar.Header, _ io.Reader) error {
		if err := t.countNames(header); err != nil {
			return err
		}
		if members = append(members, memberOf(header)); len(members) > maxNodes {
			return fmt.Errorf("is one of more than %d entries", maxNodes)
		}
		if isWhiteout(header.Name) {
			return t.whiteOut(header.Name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for index, m := range members {
		if isWhiteout(m.name) {
			continue
		}
		if err := t.add(m, n, index); err != nil {
			return fmt.Errorf("%q %w", m.name, err)
		}
	}
	return t.settle()
}

func memberOf(header *tar.Header) member {
	return member{
		name: header.Name, link: header.Linkname, kind: header.Typeflag,
		mode: header.Mode, size: header.Size, modTime: header.ModTime,
	}
}

func (t *tree) countNames(header *tar.Header) error {
	if len(header.Linkname) > maxPath {
		return errors.New("is a link to a path that is too long")
	}
	if t.names += len(header.Name) + len(header.Linkname); t.names > maxNames {
		return fmt.Errorf("is beyond %d MiB of names, which no image has", maxNames>>20)
	}
	return nil
}

// each reads the archive to its very end, where gzip and zstd have their checksums.
func (l layer) each(ctx context.Context, b *budget, do func(index int, header *tar.Header, content io.Reader) error) error {
	unpacked, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer unpacked.Close()
	limited := b.reader(unpacked)
	archive := tar.NewReader(limited)
	for index := 0; ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, limited)
			return err
		}
		if err != nil {
			return err
		}
		if header.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if isSparse(header) {
			err = b.spend(header.Size)
		}
		if err == nil {
			err = do(index, header, archive)
		}
		if err != nil {
			return fmt.Errorf("%q %w", header.Name, err)
		}
		index++
	}
}

// isSparse reports whether a file has holes, which take no room in the archive.
func isSparse(header *tar.Header) bool {
	if header.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for _, key := range []string{"GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.size", "GNU.sparse.realsize"} {
		if header.PAXRecords[key] != "" {
			return true
		}
	}
	return false
}
