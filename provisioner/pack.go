package provisioner

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// entryPoint is the file LocalAI starts in a backend directory.
const entryPoint = "run.sh"

// packDirectory writes the directory as a tar archive, owned by root.
func packDirectory(ctx context.Context, dir string, w io.Writer) error {
	// WalkDir does not follow a symbolic link at its root.
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(dir, entryPoint))
	if err != nil {
		return fmt.Errorf("not a backend directory: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("not a backend directory: %s in %s is not a regular file", entryPoint, dir)
	}
	archive := tar.NewWriter(w)
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		return packEntry(archive, dir, path, entry)
	})
	if err != nil {
		return err
	}
	return archive.Close()
}

func packEntry(archive *tar.Writer, dir, path string, entry fs.DirEntry) error {
	name, err := filepath.Rel(dir, path)
	if err != nil || name == "." {
		return err
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	link, err := packedLink(name, path, info)
	if err != nil {
		return err
	}
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	header.Name = filepath.ToSlash(name)
	if info.IsDir() {
		header.Name += "/"
	}
	header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "root", "root"
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(archive, file)
	return err
}

// packedLink returns the target of a symbolic link, "" for a file or directory. It rejects
// links out of the directory, and special files.
func packedLink(name, path string, info fs.FileInfo) (string, error) {
	switch info.Mode().Type() {
	case 0, fs.ModeDir:
		return "", nil
	case fs.ModeSymlink:
		target, err := os.Readlink(path)
		if err == nil && (filepath.IsAbs(target) || !filepath.IsLocal(filepath.Join(filepath.Dir(name), target))) {
			err = fmt.Errorf("%s links to %s, out of the directory", path, target)
		}
		return target, err
	default:
		return "", fmt.Errorf("%s is neither a file, a directory nor a link", path)
	}
}
