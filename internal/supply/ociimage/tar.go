package ociimage

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
)

// WriteTar writes the files of the image as one archive, in an order that depends only on the
// image: directories, files, hard links, symbolic links. Because the links come last, nothing
// can be unpacked through one. Everything is owned by root; modes are kept except set-user-ID
// and set-group-ID; extended attributes are dropped. Device nodes, names and links that lead
// out of the image, and images that unpack to more than 1 GiB plus twenty times their size are
// errors.
func (i *Image) WriteTar(ctx context.Context, w io.Writer) error {
	t, err := i.flatten(ctx)
	if err == nil {
		err = i.write(ctx, t, tar.NewWriter(w))
	}
	if err != nil {
		return fmt.Errorf("%s.source: unpack the image: %w", i.field, err)
	}
	return nil
}

func (i *Image) write(ctx context.Context, t *tree, w *tar.Writer) error {
	found := newListing()
	found.add(nil, t.root)
	for _, o := range found.directories {
		if err := w.WriteHeader(o.header()); err != nil {
			return err
		}
	}
	for n, l := range i.layers {
		if err := copyFiles(ctx, l, found.files[n], w); err != nil {
			return fmt.Errorf("layer %s: %w", l.digest, err)
		}
	}
	for _, o := range append(found.hardLinks, found.symlinks...) {
		if err := w.WriteHeader(o.header()); err != nil {
			return err
		}
	}
	return w.Close()
}

// copyFiles writes the files whose content is in one layer, in the layer's order.
func copyFiles(ctx context.Context, l layer, wanted map[int]object, w *tar.Writer) error {
	if len(wanted) == 0 {
		return nil
	}
	return l.each(ctx, &budget{math.MaxInt64}, func(index int, _ *tar.Header, content io.Reader) error {
		o, ok := wanted[index]
		if !ok {
			return nil
		}
		if err := w.WriteHeader(o.header()); err != nil {
			return err
		}
		_, err := io.Copy(w, content)
		return err
	})
}

// object is a node under one of its names.
type object struct {
	*node
	path []string
	// same is the path at which the file that a hard link refers to is written first.
	same []string
}

func (o object) header() *tar.Header {
	h := &tar.Header{
		Typeflag: o.kind, Name: strings.Join(o.path, "/"), Mode: o.mode, ModTime: o.modTime, Size: o.size,
		Uname: "root", Gname: "root",
	}
	switch {
	case o.same != nil:
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, strings.Join(o.same, "/"), 0
	case o.kind == tar.TypeDir:
		h.Name += "/"
	case o.kind == tar.TypeSymlink:
		h.Linkname = relative(o.path[:len(o.path)-1], o.link)
	}
	return h
}

// listing is a tree, sorted for writing.
type listing struct {
	directories, hardLinks, symlinks []object
	// files are the files of each layer, keyed by their position in it.
	files map[int]map[int]object
	first map[*node][]string
}

func newListing() *listing {
	return &listing{files: map[int]map[int]object{}, first: map[*node][]string{}}
}

func (l *listing) add(dir []string, n *node) {
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		child := n.children[name]
		o := object{node: child, path: append(slices.Clone(dir), name)}
		switch {
		case child.kind == tar.TypeDir:
			l.directories = append(l.directories, o)
			l.add(o.path, child)
		case child.kind == tar.TypeSymlink:
			l.symlinks = append(l.symlinks, o)
		case l.first[child] != nil:
			o.same = l.first[child]
			l.hardLinks = append(l.hardLinks, o)
		default:
			l.first[child] = o.path
			if l.files[child.layer] == nil {
				l.files[child.layer] = map[int]object{}
			}
			l.files[child.layer][child.entry] = o
		}
	}
}
