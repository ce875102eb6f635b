package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/diskspace"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// File is a payload on this host, read and verified.
type File struct {
	Path string
	// SHA256 is in lower-case hexadecimal, Size in bytes.
	SHA256 string
	Size   int64
}

// Fetcher makes payloads available on this host. Create one with New or NewVia.
type Fetcher struct {
	// Meter creates the progress meter of one job: progress.Lines by default; a command on a
	// terminal replaces it.
	Meter func(label string, total int64) *progress.Meter

	cacheDir string
	say      func(string)
	client   *http.Client
	retries  retry.Policy
	// stall is how long a server may send nothing, or less than leastProgress.
	stall time.Duration
	// free returns how many bytes are available in a directory.
	free func(dir string) (int64, error)
}

// New returns a Fetcher that keeps downloads in cacheDir and reports through say.
func New(cacheDir string, say func(string)) *Fetcher {
	return NewVia(cacheDir, say, NewTransport())
}

// NewVia is like New, but sends requests through transport, which may add what a server
// requires.
func NewVia(cacheDir string, say func(string), transport http.RoundTripper) *Fetcher {
	return &Fetcher{
		Meter: func(label string, total int64) *progress.Meter {
			return progress.Lines(label, total, say)
		},
		cacheDir: cacheDir,
		say:      say,
		client:   &http.Client{Transport: transport, CheckRedirect: CheckRedirect},
		retries:  retries,
		stall:    time.Minute,
		free:     diskspace.Free,
	}
}

// Fetch returns a verified local file with the payload.
func (f *Fetcher) Fetch(ctx context.Context, p Payload) (File, error) {
	file, err := f.fetch(ctx, p)
	if errors.As(err, new(checksumError)) {
		return File{}, fmt.Errorf("%s.checksum: %w", p.Field, err)
	}
	if err != nil {
		return File{}, fmt.Errorf("%s.source: %w", p.Field, err)
	}
	if p.Checksum == "" {
		f.say(fmt.Sprintf("WARNING: %s: %s is not pinned, what came was taken: %s%s (%d bytes)",
			p.Field, p.shown(), digest.SHA256Prefix, file.SHA256, file.Size))
	}
	return file, nil
}

func (f *Fetcher) fetch(ctx context.Context, p Payload) (File, error) {
	if !IsURL(p.Source) {
		return f.local(ctx, p)
	}
	if err := p.checkDownload(); err != nil {
		return File{}, err
	}
	// Without the lock, so that a cache on a read-only disk works.
	file, found, err := f.cached(ctx, p)
	if found || err != nil {
		return file, err
	}
	if err := os.MkdirAll(f.cacheDir, 0o755); err != nil {
		return File{}, fmt.Errorf("create the download cache: %w", err)
	}
	lock, err := f.lock(ctx, p)
	if err != nil {
		return File{}, err
	}
	defer func() { _ = lock.Release() }()
	// Another build may have downloaded or repaired it in the meantime.
	file, found, err = f.cached(ctx, p)
	if found || err != nil {
		return file, err
	}
	return f.download(ctx, p)
}

// local verifies a file in place; it is not copied.
func (f *Fetcher) local(ctx context.Context, p Payload) (File, error) {
	info, err := os.Stat(p.Source)
	if err != nil {
		return File{}, err
	}
	if !info.Mode().IsRegular() {
		return File{}, fmt.Errorf("%s is not a regular file", p.Source)
	}
	file, err := f.digestFile(ctx, "check "+p.base(), p.Source)
	if err != nil {
		return File{}, err
	}
	if p.Checksum != Unchecked && p.Checksum != "" && file.SHA256 != p.digest() {
		return File{}, p.wrongChecksum(file.SHA256)
	}
	return file, nil
}

// cached verifies a cached file before it is used: disk corruption must not end up in an
// image. A corrupt file is left for a download to replace.
func (f *Fetcher) cached(ctx context.Context, p Payload) (file File, intact bool, err error) {
	path := filepath.Join(f.cacheDir, p.name())
	if _, err := os.Stat(path); err != nil {
		return File{}, false, nil
	}
	file, err = f.digestFile(ctx, "check cached "+p.base(), path)
	if err != nil {
		return File{}, false, err
	}
	if file.SHA256 != p.digest() {
		f.say(fmt.Sprintf("%s: the cached file %s is damaged and is downloaded anew", p.Field, path))
		return File{}, false, nil
	}
	return file, true, nil
}
