package ociimage

import (
	"archive/tar"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxNodes is how many files an image may have.
const maxNodes = 1 << 18

// node is a file, a directory or a symbolic link. Hard links to a file share one node.
type node struct {
	kind    byte
	mode    int64
	modTime time.Time
	size    int64
	// link is the target of a symbolic link.
	link string
	// layer and entry locate the content of a file.
	layer, entry int
	children     map[string]*node
}

// tree is the combined content of the layers.
type tree struct {
	root  *node
	nodes int
}

func newTree() *tree { return &tree{root: directory()} }

func directory() *node {
	return &node{kind: tar.TypeDir, mode: 0o755, modTime: time.Unix(0, 0), children: map[string]*node{}}
}

// split splits a name from an archive into its path elements, and refuses every name that
// could lie outside the directory the archive is unpacked to.
func split(name string) ([]string, error) {
	if strings.HasPrefix(name, "/") {
		return nil, errors.New("is an absolute path")
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == ".":
		case part == "..":
			return nil, errors.New("leads out of the image")
		case len(part) > 255 || strings.ContainsRune(part, 0):
			return nil, errors.New("is not a file name")
		default:
			parts = append(parts, part)
		}
	}
	if len(name) > 4096 {
		return nil, errors.New("is too long")
	}
	return parts, nil
}

// parent returns the directory that contains a path. Missing directories are created, as every
// program that unpacks archives does.
func (t *tree) parent(parts []string) (*node, error) {
	at := t.root
	for i, part := range parts[:len(parts)-1] {
		next := at.children[part]
		if next == nil {
			next = directory()
			if err := t.put(at, part, next); err != nil {
				return nil, err
			}
		}
		if next.kind != tar.TypeDir {
			return nil, fmt.Errorf("goes through %s, which is not a directory", strings.Join(parts[:i+1], "/"))
		}
		at = next
	}
	return at, nil
}

func (t *tree) put(parent *node, name string, n *node) error {
	if t.nodes++; t.nodes > maxNodes {
		return fmt.Errorf("is one of more than %d files", maxNodes)
	}
	parent.children[name] = n
	return nil
}

// find returns the node at a path without following links; nil if there is none.
func (t *tree) find(parts []string) *node {
	at := t.root
	for _, part := range parts {
		if at = at.children[part]; at == nil {
			return nil
		}
	}
	return at
}

// add adds one entry of a layer, replacing what had its name before.
func (t *tree) add(header *tar.Header, layer, entry int) error {
	parts, err := split(header.Name)
	if err != nil {
		return err
	}
	if len(parts) == 0 {
		return nil
	}
	n, err := t.nodeOf(header, layer, entry)
	if err != nil {
		return err
	}
	parent, err := t.parent(parts)
	if err != nil {
		return err
	}
	last := parts[len(parts)-1]
	if old := parent.children[last]; old != nil && old.kind == tar.TypeDir && n.kind == tar.TypeDir {
		n.children = old.children
	}
	return t.put(parent, last, n)
}

func (t *tree) nodeOf(header *tar.Header, layer, entry int) (*node, error) {
	n := &node{kind: header.Typeflag, layer: layer, entry: entry}
	// Programs of the service user must not have set-user-ID bits.
	n.mode, n.modTime = header.Mode&0o1777, header.ModTime
	switch header.Typeflag {
	case tar.TypeDir:
		n.children = map[string]*node{}
	case tar.TypeReg:
		n.size = header.Size
	case tar.TypeSymlink:
		n.link = header.Linkname
	case tar.TypeLink:
		return t.hardLink(header.Linkname)
	default:
		return nil, fmt.Errorf("is of type %q: only files, directories and links belong in this image", header.Typeflag)
	}
	return n, nil
}

func (t *tree) hardLink(target string) (*node, error) {
	parts, err := split(target)
	if err != nil {
		return nil, fmt.Errorf("is a hard link to %q, which %w", target, err)
	}
	n := t.find(parts)
	if n == nil || n.kind == tar.TypeDir {
		return nil, fmt.Errorf("is a hard link to %q, which is not a file of the image", target)
	}
	return n, nil
}

const (
	whiteoutPrefix = ".wh."
	opaqueMarker   = ".wh..wh..opq"
)

// whiteOut removes what a whiteout entry with this name hides in the layers below.
func (t *tree) whiteOut(name string) error {
	parts, err := split(name)
	if err != nil {
		return err
	}
	folder, last := parts[:len(parts)-1], parts[len(parts)-1]
	parent := t.find(folder)
	if last == opaqueMarker {
		if parent != nil {
			clear(parent.children)
		}
		return nil
	}
	hidden := strings.TrimPrefix(last, whiteoutPrefix)
	if hidden == "" || hidden == "." || hidden == ".." {
		return errors.New("removes no file")
	}
	if parent != nil {
		delete(parent.children, hidden)
	}
	return nil
}
