package ociimage

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// flatten reads all layers, the lowest first, and returns the resulting tree.
func (i *Image) flatten(ctx context.Context) (*tree, error) {
	t := newTree()
	budget := newBudget(i.Size())
	for n, l := range i.layers {
		if err := t.addLayer(ctx, n, l, budget); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.digest, err)
		}
	}
	return t, t.checkLinks(nil, t.root)
}

// addLayer removes what the layer hides before it adds anything, so that the result does not
// depend on the order of the entries.
func (t *tree) addLayer(ctx context.Context, n int, l layer, b *budget) error {
	var entries []*tar.Header
	err := l.each(ctx, b, func(_ int, header *tar.Header, _ io.Reader) error {
		if entries = append(entries, header); len(entries) > maxNodes {
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
	for index, header := range entries {
		if isWhiteout(header.Name) {
			continue
		}
		if err := t.add(header, n, index); err != nil {
			return fmt.Errorf("%q %w", header.Name, err)
		}
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
		if err := do(index, header, archive); err != nil {
			return fmt.Errorf("%q %w", header.Name, err)
		}
		index++
	}
}

func isWhiteout(name string) bool { return strings.HasPrefix(path.Base(name), whiteoutPrefix) }

// checkLinks checks every symbolic link below n, which is the directory dir.
func (t *tree) checkLinks(dir []string, n *node) error {
	for name, child := range n.children {
		if child.kind == tar.TypeSymlink {
			if err := t.checkLink(dir, child.link); err != nil {
				return fmt.Errorf("%q is a symbolic link to %q, which %w", strings.Join(append(dir, name), "/"), child.link, err)
			}
		}
		if err := t.checkLinks(append(dir, name), child); err != nil {
			return err
		}
	}
	return nil
}
