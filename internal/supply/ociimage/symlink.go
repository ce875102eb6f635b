package ociimage

import (
	"archive/tar"
	"errors"
	"slices"
	"strings"
)

// maxHops is how many symbolic links Linux follows for one path.
const maxHops = 40

// checkLink follows a symbolic link in dir as the kernel would with the image as the root
// directory, and refuses one that leads out of it, directly or through other links. The target
// need not exist.
func (t *tree) checkLink(dir []string, target string) error {
	at := startOf(target, dir)
	pending := strings.Split(target, "/")
	for hops := 0; len(pending) > 0; {
		part := pending[0]
		pending = pending[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return errors.New("leads out of the image")
			}
			at = at[:len(at)-1]
			continue
		}
		at = append(at, part)
		n := t.find(at)
		if n == nil || n.kind != tar.TypeSymlink {
			continue
		}
		if hops++; hops > maxHops {
			return errors.New("leads in circles")
		}
		at = startOf(n.link, at[:len(at)-1])
		pending = append(strings.Split(n.link, "/"), pending...)
	}
	return nil
}

// startOf returns the directory from which a link in dir is resolved.
func startOf(target string, dir []string) []string {
	if strings.HasPrefix(target, "/") {
		return nil
	}
	return slices.Clone(dir)
}

// relative rewrites the target of a link in dir so that it means the same wherever the image
// is unpacked: "/" is the root of the image, not of the host.
func relative(dir []string, target string) string {
	rest, absolute := strings.CutPrefix(target, "/")
	if !absolute {
		return target
	}
	return strings.Repeat("../", len(dir)) + "./" + strings.TrimLeft(rest, "/")
}
