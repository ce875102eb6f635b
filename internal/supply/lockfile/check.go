package lockfile

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

const (
	wrongSize   = "must be a number of bytes, above 0; leave it out if it is not known"
	wrongSource = "must be an http(s) URL, oci://host/repository:tag, or a path"
)

// wrong is a mistake in one attribute of an input.
type wrong struct{ field, why string }

var (
	architectures = []string{"", "amd64", "arm64"}
	// expression matches the identifiers, operators and brackets of an SPDX expression,
	// without checking its grammar.
	expression = regexp.MustCompile(`^[A-Za-z0-9.+:() -]*$`)
)

// check returns everything that is wrong with an input.
func (i Input) check() []wrong {
	var found []wrong
	object := func(field, why string) {
		if why != "" {
			found = append(found, wrong{field, why})
		}
	}
	object("name", checkText(i.Name))
	if i.Name == "" {
		object("name", "must not be empty")
	}
	object("version", checkText(i.Version))
	if !slices.Contains(architectures, i.Arch) {
		object("arch", `must be "amd64", "arm64", or left out where one file serves both`)
	}
	object("source", checkSource(i.Source))
	if !expression.MatchString(i.License) {
		object("license", `must be an SPDX expression, such as "Apache-2.0"`)
	}
	if i.Size < 0 {
		object("size", wrongSize)
	}
	if i.Digest != "" && !isDigest(i.Digest) {
		object("digest", `must be "sha256:" and 64 hexadecimal digits in lower case; leave it out if it is not known`)
	}
	if _, pinned, _ := strings.Cut(i.Source, "@"); pinned != "" && isOCI(i.Source) && i.Digest != "" && pinned != i.Digest {
		object("digest", "differs from the digest in the source")
	}
	return found
}

func checkText(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		return "must hold printable characters only"
	}
	return ""
}

func isOCI(source string) bool { return strings.HasPrefix(source, "oci://") }

// checkSource refuses what may be a secret, because the file is committed. No message contains
// it.
func checkSource(source string) string {
	if source == "" {
		return wrongSource
	}
	if why := checkText(source); why != "" {
		return why
	}
	scheme, rest, isURL := strings.Cut(source, "://")
	if !isURL {
		return ""
	}
	if !slices.Contains([]string{"http", "https", "oci"}, scheme) {
		return wrongSource
	}
	host, _, _ := strings.Cut(rest, "/")
	if strings.Contains(host, "@") {
		return "must hold no user name or password: this file is meant to be committed"
	}
	if strings.ContainsAny(rest, "?#") {
		return "must hold no query or fragment, which may be a secret: this file is meant to be committed"
	}
	if u, err := url.Parse(source); host == "" || scheme != "oci" && (err != nil || u.Host == "") {
		return "is not a URL that can be read"
	}
	return ""
}

func isDigest(text string) bool {
	_, ok := digest.ParseSHA256(text)
	return ok && text == strings.ToLower(text)
}
