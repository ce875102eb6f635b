package ociimage

import (
	"archive/tar"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// maxHops is how many symbolic links Linux follows for one path.
const maxHops = 40

var (
	errNotDirectory = errors.New("is not a directory")
	errCircles      = errors.New("leads in circles")
)

// walker goes through a tree as the kernel would with the image as the root directory.
type walker struct {
	at *node
	// above are the directories above at, names the names that led from each to the next.
	above []*node
	names []string
	// escaped is set when ".." was asked for at the top, where it stays, as in a chroot. Below
	// another directory the same path would lead out of the image.
	escaped bool
}

func (t *tree) walk() *walker { return &walker{at: t.root} }

// follow goes along a path, and through the symbolic links on it. Where there is no directory,
// otherwise supplies one, or an error, to which follow adds the place.
func (w *walker) follow(parts []string, otherwise func(place) (*node, error)) error {
	hops := 0
	for steps := 0; len(parts) > 0; steps++ {
		if steps > maxPath {
			return errCircles
		}
		part := parts[0]
		parts = parts[1:]
		if part == ".." {
			w.up()
			continue
		}
		next := w.at.children[part]
		if next != nil && next.kind == tar.TypeSymlink {
			if hops++; hops > maxHops {
				return errCircles
			}
			if strings.HasPrefix(next.link, "/") {
				w.at, w.above, w.names = w.root(), nil, nil
			}
			parts = append(elements(next.link), parts...)
			continue
		}
		if next == nil || next.kind != tar.TypeDir {
			var err error
			if next, err = otherwise(place{w.at, part}); err != nil {
				return w.through(part, err)
			}
		}
		if err := w.down(part, next); err != nil {
			return err
		}
	}
	return nil
}

// elements splits a path, without what leads nowhere: links may have thousands of "./".
func elements(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(part string) bool { return part == "" || part == "." })
}

func (w *walker) through(part string, err error) error {
	if errors.Is(err, errNotDirectory) {
		return fmt.Errorf("goes through %s, which %w", path.Join(append(slices.Clone(w.names), part)...), err)
	}
	return err
}

func (w *walker) root() *node {
	if len(w.above) > 0 {
		return w.above[0]
	}
	return w.at
}

func (w *walker) up() {
	if len(w.above) == 0 {
		w.escaped = true
		return
	}
	last := len(w.above) - 1
	w.at, w.above, w.names = w.above[last], w.above[:last], w.names[:last]
}

func (w *walker) down(name string, n *node) error {
	w.at, w.above, w.names = n, append(w.above, w.at), append(w.names, name)
	// Each name takes at least two bytes of a path.
	if len(w.names) > maxPath/2 {
		return errors.New("is too long")
	}
	return nil
}

// linkText returns the target of a symbolic link so that it means the same wherever the image is
// unpacked: "/" is the root of the image, not of the host, and nothing is above it. The target
// need not exist.
func linkText(root *node, dir []string, target string) (string, error) {
	w := &walker{at: root}
	nowhere := func(place) (*node, error) { return directory(), nil }
	err := w.follow(dir, nowhere)
	if err == nil && strings.HasPrefix(target, "/") {
		w = &walker{at: root}
	}
	if err == nil {
		err = w.follow(elements(target), nowhere)
	}
	if err != nil {
		return "", err
	}
	up := strings.Repeat("../", len(dir))
	rest, absolute := strings.CutPrefix(target, "/")
	switch {
	case w.escaped:
		return up + "./" + strings.Join(w.names, "/"), nil
	case absolute:
		return up + "./" + strings.TrimLeft(rest, "/"), nil
	}
	return target, nil
}
