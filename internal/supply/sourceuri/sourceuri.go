// Package sourceuri formats where something came from so that readers elsewhere can use it:
// without secrets, and without paths of the build machine.
package sourceuri

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
)

const ociScheme = "oci://"

// URL returns an http(s) URL without user, password, query and fragment, which may be secret
// and often expire. For every other source it returns "".
func URL(source string) string {
	if u, err := url.Parse(source); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return ""
	}
	return Strip(source)
}

// Strip returns text unchanged, except that a URL of any scheme loses user, password, query
// and fragment, an invalid URL is reduced to its scheme, and an absolute path to its last
// element.
func Strip(text string) string {
	if strings.HasPrefix(text, "/") {
		return path.Base(text)
	}
	scheme, _, isURL := strings.Cut(text, "://")
	if !isURL {
		return text
	}
	u, err := url.Parse(text)
	if err != nil {
		return scheme + "://..."
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}

// Password returns the password in a URL, "" if there is none.
func Password(source string) string {
	u, err := url.Parse(source)
	if err != nil {
		return ""
	}
	password, _ := u.User.Password()
	return password
}

// Shown returns a source for messages and for the image: as returned by Strip, and without the
// directory of a local file, which exists nowhere else.
func Shown(source string) string {
	if strings.Contains(source, "://") {
		return Strip(source)
	}
	return path.Base(source)
}

// OCI returns the package URL for "oci://host/repository[:tag][@digest]", in the type oci of
// https://github.com/package-url/purl-spec. The digest in the source takes precedence over
// digest ("sha256:<hex>", or "" if unknown). For every other source it returns "".
func OCI(source, digest string) string {
	reference, isOCI := strings.CutPrefix(source, ociScheme)
	if !isOCI {
		return ""
	}
	reference, _, _ = strings.Cut(reference, "?")
	host, _, _ := strings.Cut(reference, "/")
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		reference = reference[at+1:]
	}
	reference, pinned, isPinned := strings.Cut(reference, "@")
	if isPinned {
		digest = pinned
	}
	repository, tag := reference, ""
	if colon := strings.LastIndexByte(reference, ':'); colon > strings.LastIndexByte(reference, '/') {
		repository, tag = reference[:colon], reference[colon+1:]
	}
	locator := "pkg:oci/" + Escape(strings.ToLower(path.Base(repository)))
	if digest != "" {
		locator += "@" + Escape(digest)
	}
	locator += "?repository_url=" + strings.ReplaceAll(Escape(repository), "%2F", "/")
	if tag != "" {
		locator += "&tag=" + Escape(tag)
	}
	return locator
}

// Escape applies the percent-encoding of package URLs.
func Escape(text string) string {
	var out strings.Builder
	for n := range len(text) {
		if b := text[n]; alphanumeric(b) || strings.IndexByte("-._~:", b) >= 0 {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}

func alphanumeric(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}

// WithoutURL returns the cause of a failed HTTP request. The error's text contains the URL,
// which after a redirect may include a signature.
func WithoutURL(err error) error {
	if failed := new(url.Error); errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
