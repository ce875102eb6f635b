// Package transfer puts an image where an OpenNebula front-end can read it.
package transfer

import "context"

// File is one image to transfer.
type File struct {
	// Path is the local file, Name its name at the destination: a single path element.
	Path, Name string
	// Size is in bytes.
	Size int64
	// SHA256 is that of the whole file, in lower-case hexadecimal; the caller has verified it.
	SHA256 string
}

// Method is one way to transfer files.
type Method interface {
	// Check verifies, before anything is sent, that Send can work: that the other end is
	// reachable and authenticated, that the credentials are valid, and that there is room for
	// files.
	Check(ctx context.Context, files []File) error
	// Local returns the path of the front-end where it will find file, after Check, without
	// symbolic links as far as they can be seen from here; empty if it will download file.
	Local(file File) string
	// Send transfers file and returns the PATH for the front-end. What is already there is not
	// sent again. say receives progress lines.
	Send(ctx context.Context, file File, say func(string)) (path string, err error)
	// Remove deletes what Send created for file, partial or complete; if there is nothing to
	// delete, that is not an error.
	Remove(ctx context.Context, file File) error
	// Close closes connections and servers; what was sent stays.
	Close() error
}
