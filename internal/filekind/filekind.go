// Package filekind tells by its first bytes what a file is that was given in place of another, and
// what to do about it.
package filekind

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Kind is what a file is. The zero value is a file of an unknown kind.
type Kind struct {
	// Is follows the name of the file in a sentence: "is compressed (xz)".
	Is string
	// Compressed is set if the file has to be unpacked before anything can be said about it.
	Compressed bool
	// remedy is what to do, with "$file" for its name and "$new" for what is made of it.
	remedy string
	// suffix is what the name of such a file ends in, and what is made of it has not.
	suffix string
}

// Of returns the kind of the file at path.
func Of(path string) (Kind, error) {
	file, err := os.Open(path)
	if err != nil {
		return Kind{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Kind{}, err
	}
	return of(file, info.Size())
}

func of(file io.ReaderAt, size int64) (Kind, error) {
	for _, s := range signs {
		at := s.offset
		if at < 0 {
			at += size
		}
		if at < 0 {
			continue
		}
		found := make([]byte, len(s.bytes))
		_, err := file.ReadAt(found, at)
		switch {
		case err == nil && string(found) == s.bytes:
			return s.kind, nil
		case err != nil && !errors.Is(err, io.EOF):
			return Kind{}, err
		}
	}
	return Kind{}, nil
}

// Known reports whether the kind was recognized.
func (k Kind) Known() bool { return k.Is != "" }

// Explain returns a sentence about the file called name: what it is, and what to do. It is empty
// if the kind is unknown.
func (k Kind) Explain(name string) string {
	if !k.Known() {
		return ""
	}
	return name + " " + k.Is + ": " + k.advice(filepath.Base(name))
}

func (k Kind) advice(name string) string {
	result := strings.TrimSuffix(name, k.suffix)
	if k.suffix == "" || result == name {
		result += ".new"
	}
	return strings.NewReplacer("$file", name, "$new", result).Replace(k.remedy)
}

// Instead returns err, which is about the file at path, or a better reason for it: the file, which
// messages call name, is compressed.
func Instead(err error, path, name string) error {
	kind, readErr := Of(path)
	if err == nil || readErr != nil || !kind.Compressed {
		return err
	}
	return errors.New(kind.Explain(name))
}
