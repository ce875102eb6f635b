// Package transfer brings an image to where a front-end of OpenNebula can read it.
package transfer

import "context"

// File is one image on its way.
type File struct {
	// Path is where it lies here, Name what it is called there: one element of a path.
	Path, Name string
	// Size is in bytes.
	Size int64
	// SHA256 is of the whole file, in lower-case hexadecimal, and proven by the caller.
	SHA256 string
}

// Method is one way to bring files there.
type Method interface {
	// Check proves that Send can work, before anything is sent: that the other end is
	// there and known, the credentials are good, and there is room for files.
	Check(ctx context.Context, files []File) error
	// Send brings file to its place and returns the PATH for the front-end. What is there
	// already is not sent again. say gets progress.
	Send(ctx context.Context, file File, say func(string)) (path string, err error)
	// Remove deletes what Send has made for file, a part of it too; nothing there is no
	// error.
	Remove(ctx context.Context, file File) error
	// Close ends connections and servers; what was sent stays.
	Close() error
}
