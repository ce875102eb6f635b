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
	found, err := i.flatten(ctx)
	if err == nil {
		err = i.write(ctx, found, tar.NewWriter(w))
	}
	if err != nil {
		return fmt.Errorf("%s.source: unpack the image: %w", i.field, err)
	}
	return nil
}

func (i *Image) write(ctx context.Context, found *listing, w *tar.Writer) error {
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
func copyFiles(ctx context.Context, l layer, wanted map[int]*object, w *tar.Writer) error {
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
	name string
	// dir is the directory, nil at the top.
	dir *object
	// same is the file that a hard link is another name of, and that is written before it.
	same *object
	// text is the target of a symbolic link as it is written.
	text string
	// length is that of the path, in bytes.
	length int
}

func newObject(dir *object, name string, n *node) *object {
	o := &object{node: n, name: name, dir: dir, length: len(name)}
	if dir != nil {
		o.length += dir.length + len("/")
	}
	return o
}

// path returns the names that lead to the object; none for nil, which is the top.
func (o *object) path() []string {
	if o == nil {
		return nil
	}
	return append(o.dir.path(), o.name)
}

func (o *object) header() *tar.Header {
	h := &tar.Header{
		Typeflag: o.kind, Name: strings.Join(o.path(), "/"), Mode: o.mode, ModTime: o.modTime, Size: o.size,
		Linkname: o.text, Uname: "root", Gname: "root",
	}
	switch {
	case o.same != nil:
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, strings.Join(o.same.path(), "/"), 0
	case o.kind == tar.TypeDir:
		h.Name += "/"
	}
	return h
}

// listing is a tree, sorted for writing.
type listing struct {
	root                             *node
	directories, hardLinks, symlinks []*object
	// files are the files of each layer, keyed by their position in it.
	files map[int]map[int]*object
	first map[*node]*object
}

func list(ctx context.Context, t *tree) (*listing, error) {
	l := &listing{root: t.root, files: map[int]map[int]*object{}, first: map[*node]*object{}}
	return l, l.add(ctx, nil, t.root)
}

// add lists what is in a directory. Devices are left out: the host has them in /dev, and a backend
// needs none of its own.
func (l *listing) add(ctx context.Context, dir *object, n *node) error {
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		o := newObject(dir, name, n.children[name])
		if o.length > maxPath {
			return fmt.Errorf("%q is too long", strings.Join(o.path(), "/"))
		}
		switch {
		case dir == nil && isMeta(name):
		case o.kind == tar.TypeDir:
			l.directories = append(l.directories, o)
			if err := l.add(ctx, o, o.node); err != nil {
				return err
			}
		case o.kind == tar.TypeSymlink:
			if err := l.addSymlink(o); err != nil {
				return err
			}
		case o.kind == tar.TypeReg:
			l.addFile(o)
		}
	}
	return nil
}

func (l *listing) addSymlink(o *object) (err error) {
	if o.text, err = linkText(l.root, o.dir.path(), o.link); err != nil {
		return fmt.Errorf("%q is a symbolic link to %q, which %w", strings.Join(o.path(), "/"), o.link, err)
	}
	l.symlinks = append(l.symlinks, o)
	return nil
}

func (l *listing) addFile(o *object) {
	if o.same = l.first[o.node]; o.same != nil {
		l.hardLinks = append(l.hardLinks, o)
		return
	}
	l.first[o.node] = o
	if l.files[o.layer] == nil {
		l.files[o.layer] = map[int]*object{}
	}
	l.files[o.layer][o.entry] = o
}
