package lint

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

var (
	md5Pattern    = regexp.MustCompile(`^[0-9a-f]{32}$`)
	sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// oneDigit matches zeros and the like, written before the digest was known.
	oneDigit = regexp.MustCompile(`^(0+|f+|[^0-9a-fA-F]+)$`)
	// placeholder matches what has been seen in published files.
	placeholder = regexp.MustCompile(`PUBLISH_URL|TODO|FIXME|CHANGEME|PLACEHOLDER|XXX|\.\.\.|<[^>]*>|\$\{?[A-Z_]+`)
)

// images checks the images. A marketplace's server calls them "files", and puts the checksums
// next to the other keys.
func (l *linter) images(n *node, key string) {
	images := n.get(key)
	if typeOf(n) != typeImage {
		return
	}
	switch {
	case images.empty():
		l.add(n.line, ruleImage, "%s is missing: there is nothing to import", key)
		return
	case len(images.items) == 0:
		l.add(images.line, ruleImage, "%s is not a list", key)
		return
	case len(images.items) > 1:
		l.add(images.items[1].line, ruleImage, "there are %d images, of which OpenNebula imports the first alone", len(images.items))
	}
	for _, image := range images.items {
		l.image(image, key == "images")
		l.imageVersion(n.get("version").str(), image)
	}
}

func (l *linter) image(image *node, community bool) {
	required := []string{"url", "type", "dev_prefix", "driver", "size"}
	checksums := image
	if community {
		required = append(required, "name")
		checksums = image.get("checksum")
	}
	for _, key := range required {
		if image.get(key).empty() {
			l.add(image.line, ruleImage, "%s is missing", key)
		}
	}
	if kind := image.get("type"); !kind.empty() && !slices.Contains([]string{"OS", "DATABLOCK", "CDROM"}, kind.str()) {
		l.add(kind.line, ruleImage, "type is %q, not OS, DATABLOCK or CDROM", kind.str())
	}
	if size := image.get("size"); !size.empty() {
		if bytes, ok := size.integer(); !ok || bytes <= 0 {
			l.add(size.line, ruleImage, "size is %q, not a number of bytes", size.str())
		}
	}
	l.address(image.get("url"))
	l.checksum(image, checksums.get("md5"), "md5", md5Pattern)
	l.checksum(image, checksums.get("sha256"), "sha256", sha256Pattern)
}

func (l *linter) address(n *node) {
	if n.empty() {
		return
	}
	u, err := url.Parse(n.str())
	switch {
	case placeholder.MatchString(n.str()):
		l.add(n.line, rulePlaceholder, "%q is a placeholder", sourceuri.Shown(n.str()))
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		l.add(n.line, rulePlaceholder, "%q is not an http(s) URL", sourceuri.Shown(n.str()))
	}
}

func (l *linter) checksum(image, n *node, name string, pattern *regexp.Regexp) {
	switch {
	case n.empty():
		l.add(image.line, ruleChecksum, "%s is missing", name)
	case oneDigit.MatchString(n.str()):
		l.add(n.line, rulePlaceholder, "the %s %q is a placeholder", name, n.str())
	case !pattern.MatchString(n.str()):
		l.add(n.line, ruleChecksum, "%q is no %s", n.str(), name)
	}
}

// inName matches the version in the name of an image in OpenNebula's marketplaces.
var (
	inName  = regexp.MustCompile(`-(\d+\.\d+\.\d+-\d+-\d{8})$`)
	ownForm = regexp.MustCompile(`^\d+\.\d+\.\d+-\d+-\d{8}$`)
)

// imageVersion finds an image URL that was not updated with the version.
func (l *linter) imageVersion(version string, image *node) {
	address := image.get("url")
	base := strings.TrimSuffix(path.Base(address.str()), path.Ext(address.str()))
	// An app whose versions have another form may take the image of another app.
	if found := inName.FindStringSubmatch(strings.TrimSuffix(base, ".aarch64")); found != nil && ownForm.MatchString(version) && found[1] != version {
		l.add(address.line, ruleStale, "the image is of version %s, the app of %q", found[1], version)
	}
}
