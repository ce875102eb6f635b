package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// Hosted is for files that have already been put where the front-end can read them.
type Hosted struct {
	// Location is an http(s) URL, or an absolute path on the front-end. If it ends in a slash,
	// the base name of File.Path is appended.
	Location string
}

var _ Method = Hosted{}

// askTimeout is for the header of the answer to one GET.
const askTimeout = 20 * time.Second

// Mistakes returns everything that is wrong with the location. None of them contains it,
// because a URL may contain a password.
func (h Hosted) Mistakes() []error {
	var mistakes []error
	expect := func(ok bool, mistake string) {
		if !ok {
			mistakes = append(mistakes, errors.New(mistake))
		}
	}
	expect(NamesPath(h.Location), "must not hold quotation marks, backslashes or control characters")
	if strings.HasPrefix(h.Location, "/") {
		expect(cleaned(h.Location), `must be a path without ".", ".." and empty elements`)
		expect(h.Location != "/", "must name a file or a directory")
		return mistakes
	}
	u, err := url.Parse(h.Location)
	if err != nil {
		return append(mistakes, errors.New("must be an http(s) URL or an absolute path"))
	}
	expect((u.Scheme == "http" || u.Scheme == "https") && u.Host != "", "must be an http(s) URL or an absolute path")
	expect(u.Fragment == "", "must not have a fragment: it is never sent to a server")
	return mistakes
}

// Listed joins several mistakes into one line.
func Listed(mistakes []error) string {
	texts := make([]string, len(mistakes))
	for i, mistake := range mistakes {
		texts[i] = mistake.Error()
	}
	return strings.Join(texts, "; ")
}

// NamesPath reports whether text can be the PATH of an image. It refuses characters that
// OpenNebula's templates and driver scripts would corrupt.
func NamesPath(text string) bool {
	return !strings.ContainsAny(text, `"\`) && !strings.ContainsFunc(text, unicode.IsControl)
}

// cleaned reports whether an absolute path is in its shortest form; a trailing slash is
// allowed.
func cleaned(location string) bool {
	return path.Clean(location) == location || path.Clean(location)+"/" == location
}

// Check refuses a location that cannot be right, and a URL whose server answers this host that
// it is wrong. A server that this host cannot reach is not an error: the front-end may be on
// other networks.
func (h Hosted) Check(ctx context.Context, files []File) error {
	mistakes := h.Mistakes()
	if len(files) > 1 && !h.isDirectory() {
		mistakes = append(mistakes, fmt.Errorf("must end in a slash, because there are %d files", len(files)))
	}
	if len(mistakes) > 0 {
		return fmt.Errorf("the location of the image %s", Listed(mistakes))
	}
	for _, file := range files {
		if strings.HasPrefix(h.Location, "/") {
			continue
		}
		if err := ask(ctx, h.locate(file), file); err != nil {
			return err
		}
	}
	return nil
}

// ask makes the request that the front-end will make, and checks the header of the answer.
func ask(ctx context.Context, location string, file File) error {
	limited, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodGet, location, nil)
	if err != nil {
		return fmt.Errorf("ask for %s: it is not a URL", sourceuri.Shown(location))
	}
	// Otherwise the size could be that of an encoding of the file.
	request.Header.Set("Accept-Encoding", "identity")
	response, err := http.DefaultClient.Do(request)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusGone:
		return fmt.Errorf("ask for %s: the server answered %s: bring the image there first", sourceuri.Shown(location), response.Status)
	case response.StatusCode == http.StatusOK && response.ContentLength >= 0 && response.ContentLength != file.Size:
		return fmt.Errorf("ask for %s: there are %d bytes, but %s has %d: bring this build's image there, or name the right location",
			sourceuri.Shown(location), response.ContentLength, filepath.Base(file.Path), file.Size)
	}
	return nil
}

// Local resolves symbolic links if the file is on this host, by its size: then this is the
// front-end, or shares its file system. Links of another host lead somewhere else.
func (h Hosted) Local(file File) string {
	if !strings.HasPrefix(h.Location, "/") {
		return ""
	}
	location := h.locate(file)
	here, err := os.Stat(location)
	if err != nil || here.Size() != file.Size {
		return location
	}
	if resolved, err := filepath.EvalSymlinks(location); err == nil {
		return resolved
	}
	return location
}

// Send returns where the front-end finds the file; it transfers nothing.
func (h Hosted) Send(_ context.Context, file File, _ func(string)) (string, error) {
	return h.locate(file), nil
}

// Remove does nothing: the files were put there by somebody else.
func (Hosted) Remove(context.Context, File) error { return nil }

// Close does nothing.
func (Hosted) Close() error { return nil }

func (h Hosted) isDirectory() bool {
	u, err := url.Parse(h.Location)
	return err == nil && strings.HasSuffix(u.Path, "/") || strings.HasPrefix(h.Location, "/") && strings.HasSuffix(h.Location, "/")
}

func (h Hosted) locate(file File) string {
	if !h.isDirectory() {
		return h.Location
	}
	name := filepath.Base(file.Path)
	if strings.HasPrefix(h.Location, "/") {
		return h.Location + name
	}
	// It has been parsed before, by isDirectory.
	u, _ := url.Parse(h.Location)
	return u.JoinPath(url.PathEscape(name)).String()
}
