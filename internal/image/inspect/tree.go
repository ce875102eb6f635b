package inspect

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// File types in a mode, see inode(7).
const (
	typeMask      = 0o170000
	typeDirectory = 0o040000
	typeRegular   = 0o100000
)

const (
	rootInode = 2
	// mostFiles is ten times what a server installation has.
	mostFiles = 5_000_000
)

// tree is the content of a file system: all files by path, and the contents of small files in
// directories with secrets and settings.
type tree struct {
	files   map[string]entry
	content map[string]string
}

func (t tree) has(path string) bool {
	_, there := t.files[path]
	return there
}

func (t tree) isFile(path string) bool {
	return t.files[path].mode&typeMask == typeRegular
}

// paths returns all paths, sorted.
func (t tree) paths() []string { return slices.Sorted(maps.Keys(t.files)) }

type directory struct {
	path  string
	inode uint64
}

// walk lists all directories level by level, with one debugfs process per level.
func (f fileSystem) walk(ctx context.Context) (map[string]entry, error) {
	files := map[string]entry{}
	seen := map[uint64]bool{rootInode: true}
	for level := []directory{{"/", rootInode}}; len(level) > 0; {
		var requests []string
		for _, d := range level {
			requests = append(requests, fmt.Sprintf("ls -p <%d>", d.inode))
		}
		var next []directory
		err := f.debugfs(ctx, requests, func(number int, r *bufio.Reader) error {
			entries, err := readListing(r)
			for _, e := range entries {
				full := path.Join(level[number].path, e.name)
				files[full] = e
				// A damaged file system may list a directory twice.
				if e.mode&typeMask == typeDirectory && !seen[e.inode] {
					seen[e.inode] = true
					next = append(next, directory{full, e.inode})
				}
			}
			if len(files) > mostFiles {
				return fmt.Errorf("it holds more than %d files", mostFiles)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		level = next
	}
	return files, nil
}

// stream passes the contents of files to use, one after the other.
func (f fileSystem) stream(ctx context.Context, files []entry, use func(number int, content io.Reader) error) error {
	var requests []string
	for _, file := range files {
		requests = append(requests, fmt.Sprintf("cat <%d>", file.inode))
	}
	if len(requests) == 0 {
		return nil
	}
	return f.debugfs(ctx, requests, func(number int, r *bufio.Reader) error {
		content := io.LimitReader(r, files[number].size)
		if err := use(number, content); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, content)
		return err
	})
}

// readable lists the directories with settings and secrets, mostReadable is larger than any of
// those files.
var readable = []string{"/etc/", "/home/", "/root/", "/srv/", "/usr/share/slm-copilot/", "/var/backups/", "/var/lib/"}

const mostReadable = 1 << 20

// load reads the whole tree of a file system.
func (f fileSystem) load(ctx context.Context) (tree, error) {
	files, err := f.walk(ctx)
	if err != nil {
		return tree{}, err
	}
	t := tree{files: files, content: map[string]string{}}
	var small []entry
	var names []string
	for _, name := range t.paths() {
		below := slices.ContainsFunc(readable, func(top string) bool { return strings.HasPrefix(name, top) })
		if file := files[name]; below && t.isFile(name) && file.size <= mostReadable {
			small, names = append(small, file), append(names, name)
		}
	}
	return t, f.stream(ctx, small, func(number int, r io.Reader) error {
		content, err := io.ReadAll(r)
		t.content[names[number]] = string(content)
		return err
	})
}
