package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// Payload is one file the appliance needs.
type Payload struct {
	// Field is the configuration block it comes from ("model"); messages name
	// "model.source" and "model.checksum".
	Field string
	// Source is a path or an http(s) URL.
	Source string
	// Checksum satisfies CheckChecksum; Unchecked only with a path. Empty takes whatever
	// comes, says so, and tells its digest: callers decide when that is allowed.
	Checksum string
	// Size is what the lock file says, in bytes; 0 if nobody knows.
	Size int64
	// Token is sent to the host of Source as a bearer token, and to no other.
	Token string
}

// File is a payload on this host, read and verified.
type File struct {
	Path string
	// SHA256 is in lower-case hexadecimal, Size in bytes.
	SHA256 string
	Size   int64
}

// Fetcher brings payloads to this host. Make one with New.
type Fetcher struct {
	cacheDir string
	say      func(string)
	client   *http.Client
	// pause comes before the second attempt, and doubles.
	pause time.Duration
	// stall is how long a server may send nothing.
	stall time.Duration
}

// New returns a Fetcher that keeps downloads in cacheDir and reports through say.
func New(cacheDir string, say func(string)) *Fetcher {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// The checksum is that of the file, not of some encoding of it.
	transport.DisableCompression = true
	return &Fetcher{
		cacheDir: cacheDir,
		say:      say,
		client:   &http.Client{Transport: transport},
		pause:    2 * time.Second,
		stall:    time.Minute,
	}
}

// Fetch returns a local file that holds the payload, verified.
func (f *Fetcher) Fetch(ctx context.Context, p Payload) (File, error) {
	path, err := f.fetch(ctx, p)
	if errors.As(err, new(checksumError)) {
		return File{}, fmt.Errorf("%s.checksum: %w", p.Field, err)
	}
	if err != nil {
		return File{}, fmt.Errorf("%s.source: %w", p.Field, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return File{}, fmt.Errorf("%s.source: %w", p.Field, err)
	}
	return File{Path: path, SHA256: p.digest(), Size: info.Size()}, nil
}

func (f *Fetcher) fetch(ctx context.Context, p Payload) (string, error) {
	if !IsURL(p.Source) {
		return p.Source, f.checkLocal(ctx, p)
	}
	if err := os.MkdirAll(f.cacheDir, 0o755); err != nil {
		return "", fmt.Errorf("create the download cache: %w", err)
	}
	unlock, err := f.lockCache(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	cached := filepath.Join(f.cacheDir, p.digest())
	found, err := f.checkCached(ctx, p, cached)
	if found || err != nil {
		return cached, err
	}
	return cached, f.download(ctx, p, cached)
}

func (f *Fetcher) checkLocal(ctx context.Context, p Payload) error {
	info, err := os.Stat(p.Source)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", p.Source)
	}
	actual, err := f.digestFile(ctx, "check "+filepath.Base(p.Source), p.Source)
	if err != nil {
		return err
	}
	if p.Checksum != Unchecked && actual != p.digest() {
		return p.wrongChecksum(actual)
	}
	return nil
}

// checkCached reads a cached file again before it is trusted: a disk that lost bytes
// must not end up in an image. What is wrong is removed, for the download to replace.
func (f *Fetcher) checkCached(ctx context.Context, p Payload, cached string) (bool, error) {
	if _, err := os.Stat(cached); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	actual, err := f.digestFile(ctx, "check cached "+p.base(), cached)
	if err != nil {
		return false, err
	}
	if actual == p.digest() {
		return true, nil
	}
	f.say(fmt.Sprintf("%s: the cached file %s is damaged and is downloaded anew", p.Field, cached))
	return false, os.Remove(cached)
}

func (f *Fetcher) digestFile(ctx context.Context, label, path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	meter := progress.Lines(label, info.Size(), f.say)
	sum := sha256.New()
	if _, err := io.Copy(sum, contextReader{ctx, meter.Reader(file)}); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// digest is the lower-case hex form, and so the name in the cache.
func (p Payload) digest() string {
	return strings.ToLower(strings.TrimPrefix(p.Checksum, sha256Prefix))
}

// checksumError blames the checksum; every other error of a Fetch blames the source.
type checksumError struct{ error }

func (p Payload) wrongChecksum(actual string) error {
	return checksumError{fmt.Errorf("%s has %s%s, expected %s%s: correct the checksum or the source",
		p.shown(), sha256Prefix, actual, sha256Prefix, p.digest())}
}

// shown is the source for messages: user, password and query of a URL may be secret.
func (p Payload) shown() string {
	u, err := url.Parse(p.Source)
	if err != nil || !IsURL(p.Source) {
		return p.Source
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

func (p Payload) base() string {
	return filepath.Base(p.shown())
}

// contextReader ends a long copy when its context ends.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}
