package ociimage

import (
	"archive/tar"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

const (
	// maxNodes is how many files an image may have.
	maxNodes = 1 << 18
	// maxPath is Linux' limit of a path, in bytes.
	maxPath = 4096
)

// node is a file, a directory, a link or a device. Hard links to a file share one node.
type node struct {
	kind    byte
	mode    int64
	modTime time.Time
	size    int64
	// link is the target of a symbolic link, or of a hard link whose target is yet to come.
	link string
	// layer and entry locate the content of a file.
	layer, entry int
	children     map[string]*node
}

// tree is the combined content of the layers.
type tree struct {
	root  *node
	nodes int
	// names is how many bytes the names and links of all entries had.
	names int
	// pending are the hard links of one layer whose target has not come yet.
	pending []place
}

func newTree() *tree { return &tree{root: directory()} }

func directory() *node {
	return &node{kind: tar.TypeDir, mode: 0o755, modTime: time.Unix(0, 0), children: map[string]*node{}}
}

// split splits a name from an archive into its path elements. A leading slash is the top of the
// image. A name that leads above that is refused: containerd would take it for one at the top,
// but no honest image has such a name.
func split(name string) ([]string, error) {
	if len(name) > maxPath {
		return nil, errors.New("is too long")
	}
	var parts []string
	for part := range strings.SplitSeq(path.Clean(strings.TrimLeft(name, "/")), "/") {
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
	return parts, nil
}

// parent returns where a path lies, with symbolic links to directories followed: "lib" is a link
// to "usr/lib" in every present-day distribution. Missing directories are created, as every
// program that unpacks archives does.
func (t *tree) parent(parts []string) (place, error) {
	w := t.walk()
	err := w.follow(parts[:len(parts)-1], func(at place) (*node, error) {
		if at.node() != nil {
			return nil, errNotDirectory
		}
		n := directory()
		return n, t.put(at, n)
	})
	return place{w.at, parts[len(parts)-1]}, err
}

// existing is for walks that must not change the tree.
func existing(place) (*node, error) { return nil, errNotDirectory }

// place is a name in a directory.
type place struct {
	directory *node
	name      string
}

func (p place) node() *node { return p.directory.children[p.name] }

func (t *tree) put(at place, n *node) error {
	if t.nodes++; t.nodes > maxNodes {
		return fmt.Errorf("is one of more than %d files", maxNodes)
	}
	at.directory.children[at.name] = n
	return nil
}

// add adds one entry of a layer, replacing what had its name before.
func (t *tree) add(m member, layer, index int) error {
	parts, err := split(m.name)
	if err != nil || len(parts) == 0 {
		return err
	}
	at, err := t.parent(parts)
	if err != nil {
		return err
	}
	if m.kind == tar.TypeLink {
		return t.addHardLink(m, at)
	}
	n, err := nodeOf(m)
	if err != nil {
		return err
	}
	n.layer, n.entry = layer, index
	if old := at.node(); old != nil && old.kind == tar.TypeDir && n.kind == tar.TypeDir {
		n.children = old.children
	}
	return t.put(at, n)
}

func nodeOf(m member) (*node, error) {
	// Programs of the service user must not have set-user-ID bits.
	n := &node{kind: m.kind, mode: m.mode & 0o1777, modTime: m.modTime, size: m.size, link: m.link}
	switch m.kind {
	case tar.TypeDir:
		n.children = map[string]*node{}
	case tar.TypeReg, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
	case tar.TypeCont, tar.TypeGNUSparse:
		n.kind = tar.TypeReg
	default:
		return nil, fmt.Errorf("is of type %q, which no layer has", m.kind)
	}
	return n, nil
}

// addHardLink adds another name of a file, or a pending link to one that is yet to come.
func (t *tree) addHardLink(m member, at place) error {
	n, err := t.linked(m.link)
	if err != nil {
		return err
	}
	if n == nil || n.kind == tar.TypeLink {
		n = &node{kind: tar.TypeLink, link: m.link}
		t.pending = append(t.pending, at)
	}
	return t.put(at, n)
}

// linked returns what a hard link refers to: a file, a pending link, or nil if it is not there.
func (t *tree) linked(target string) (*node, error) {
	parts, err := split(target)
	if err != nil {
		return nil, fmt.Errorf("is a hard link to %q, which %w", target, err)
	}
	if len(parts) == 0 {
		return nil, notAFile(target)
	}
	w := t.walk()
	if w.follow(parts[:len(parts)-1], existing) != nil {
		return nil, nil
	}
	n := w.at.children[parts[len(parts)-1]]
	if n != nil && n.kind == tar.TypeDir {
		return nil, notAFile(target)
	}
	return n, nil
}

func notAFile(target string) error {
	return fmt.Errorf("is a hard link to %q, which is not a file of the image", target)
}

// settle replaces the pending hard links, at the end of a layer.
func (t *tree) settle() error {
	for _, at := range t.pending {
		link := at.node()
		if link == nil || link.kind != tar.TypeLink {
			continue // a later entry has its name
		}
		target := link
		for hops := 0; target != nil && target.kind == tar.TypeLink; hops++ {
			var err error
			if target, err = t.linked(target.link); err != nil {
				return fmt.Errorf("%q %w", at.name, err)
			}
			if hops > maxHops {
				target = nil
			}
		}
		if target == nil {
			return fmt.Errorf("%q %w", at.name, notAFile(link.link))
		}
		at.directory.children[at.name] = target
	}
	t.pending = nil
	return nil
}

const (
	whiteoutPrefix = ".wh."
	opaqueMarker   = ".wh..wh..opq"
	// metaPrefix begins the names of AUFS's own files, which docker once put into layers.
	metaPrefix = ".wh..wh."
)

// isMeta reports whether a name is one of AUFS's own files at the top of a layer, or in one of
// its directories there. Only hard links can make use of them.
func isMeta(name string) bool {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	return strings.HasPrefix(name, metaPrefix) && name != opaqueMarker
}

func isWhiteout(name string) bool {
	return strings.HasPrefix(path.Base(path.Clean(name)), whiteoutPrefix) && !isMeta(name)
}

// whiteOut removes what a whiteout entry with this name hides in the layers below.
func (t *tree) whiteOut(name string) error {
	parts, err := split(name)
	if err != nil {
		return err
	}
	folder, last := parts[:len(parts)-1], parts[len(parts)-1]
	hidden := strings.TrimPrefix(last, whiteoutPrefix)
	if hidden == "" || hidden == "." || hidden == ".." {
		return errors.New("removes no file")
	}
	w := t.walk()
	if w.follow(folder, existing) != nil {
		return nil // nothing is there to be removed
	}
	if last == opaqueMarker {
		clear(w.at.children)
		return nil
	}
	delete(w.at.children, hidden)
	return nil
}
