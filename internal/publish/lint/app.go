package lint

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/storedtext"
)

// The keys required of an app in both forms, by the driver of a "one" marketplace and by the
// servers that feed it.
var (
	commonKeys = []string{"name", "version", "publisher", "description", "short_description", "tags", "creation_time", "opennebula_version", "hypervisor"}
	imageKeys  = []string{"format"}
	systemKeys = []string{"os-id", "os-release", "os-arch"}
)

const (
	typeImage    = "IMAGE"
	typeTemplate = "VMTEMPLATE"
	typeService  = "SERVICE_TEMPLATE"
)

// app checks a file of a marketplace's repository: <uuid>.yaml.
func (l *linter) app(n *node) {
	l.result.Apps++
	l.fileName(n)
	var more []string
	if holdsSystem(n) {
		more = append(slices.Clone(systemKeys), "logo")
	}
	l.common(n, more)
	l.images(n, "images")
	l.spelling(n)
	l.openNebulaTemplate(n)
}

// entry checks an entry as a marketplace's server returns it: like an app, but with "files"
// for images, and without a file name.
func (l *linter) entry(n *node) {
	l.result.Apps++
	if n.get("_id").get("$oid").empty() {
		l.add(n.line, ruleRequired, "_id.$oid is missing")
	}
	l.common(n, nil)
	l.images(n, "files")
	l.openNebulaTemplate(n)
}

func (l *linter) common(n *node, more []string) {
	kind := typeOf(n)
	required := slices.Concat(commonKeys, more)
	if kind == typeImage {
		required = append(required, imageKeys...)
	}
	for _, key := range required {
		if n.get(key).empty() {
			l.add(n.line, ruleRequired, "%s is missing", key)
		}
	}
	if name := n.get("name"); !name.empty() {
		if err := appliance.CheckObjectName(name.str()); err != nil {
			l.add(name.line, ruleName, "the name %q %v", name.str(), err)
		}
	}
	l.version(n)
	l.kind(n, kind)
	l.oneOf(n, "format", ruleFormat, "qcow2", "qcow", "raw", "vmdk", "iso")
	if holdsSystem(n) {
		l.oneOf(n, "os-arch", ruleArch, "x86_64", "aarch64")
	} else {
		l.oneOf(n, "os-arch", ruleArch, "x86_64", "aarch64", "all")
	}
	l.releases(n)
	for _, key := range []string{"name", "version", "publisher", "publisher_email", "short_description", "description"} {
		l.storable(n.get(key), key)
	}
	for _, tag := range n.get("tags").list() {
		if err := app.CheckTag(tag.str()); err != nil {
			l.add(tag.line, ruleUnstorable, "the tag %q %v", tag.str(), err)
		}
	}
	if logo := n.get("logo"); !logo.empty() {
		if err := app.CheckLogo(filepath.Base(logo.str())); err != nil {
			l.add(logo.line, ruleLogo, "%q %v", logo.str(), err)
		}
	}
}

// holdsSystem reports whether the image of an app has an operating system. Disks without one
// are published too: they say "none", or have no image of type OS.
func holdsSystem(n *node) bool {
	if strings.EqualFold(n.get("os-id").str(), "none") {
		return false
	}
	return typeOf(n) == typeImage && (system(n, "images") != nil || system(n, "files") != nil)
}

// list returns the items of a sequence, and nothing for any other node.
func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

func typeOf(n *node) string {
	if kind := n.get("type"); !kind.empty() {
		return kind.str()
	}
	return typeImage
}

func (l *linter) kind(n *node, kind string) {
	line := n.line
	if given := n.get("type"); given != nil {
		line = given.line
	}
	switch kind {
	case typeImage:
	case typeTemplate:
		if n.get("disks").empty() {
			l.add(line, ruleType, "a VMTEMPLATE names no disks, the apps whose images it boots from")
		}
	case typeService:
		if n.get("roles").empty() {
			l.add(line, ruleType, "a SERVICE_TEMPLATE names no roles")
		}
	default:
		l.add(line, ruleType, "OpenNebula passes over apps of type %q", kind)
	}
}

func (l *linter) oneOf(n *node, key, rule string, allowed ...string) {
	if value := n.get(key); !value.empty() && !slices.Contains(allowed, value.str()) {
		l.add(value.line, rule, "%s is %q", key, value.str())
	}
}

// storable checks texts that end up in attributes of oned.
func (l *linter) storable(n *node, name string) {
	if err := storedtext.CheckQuoted(n.str()); err != nil {
		l.add(n.line, ruleUnstorable, "%s %v", name, err)
	}
}

// dated matches a version whose end is a date, as in OpenNebula's marketplaces.
var dated = regexp.MustCompile(`^\d+\.\d+\.\d+.*-\d+-(\d{8})$`)

func (l *linter) version(n *node) {
	version, created := n.get("version"), n.get("creation_time")
	if !version.empty() {
		if version.kind != text {
			l.add(version.line, ruleVersion, "the version %s is not a string", version.str())
		} else if err := app.CheckVersion(version.str()); err != nil {
			l.add(version.line, ruleVersion, "the version %q %v", version.str(), err)
		}
	}
	if created.empty() {
		return
	}
	seconds, ok := created.integer()
	if !ok || seconds <= 0 {
		l.add(created.line, ruleCreationTime, "creation_time is %q", created.str())
		return
	}
	at := time.Unix(seconds, 0).UTC()
	if found := dated.FindStringSubmatch(version.str()); found != nil && !onDay(at, found[1]) {
		l.add(created.line, ruleStale, "creation_time %d is the day %s, the version says %s", seconds, at.Format(day), found[1])
	}
}

const day = "20060102"

// onDay reports whether a time is on a day or next to it: local time differs from UTC, and a
// release may come out the day after its image was made.
func onDay(at time.Time, named string) bool {
	return at.AddDate(0, 0, 1).Format(day) >= named && at.AddDate(0, 0, -1).Format(day) <= named
}

// knownReleases are the OpenNebula releases an app is offered to, oldest first.
var knownReleases = app.Default().OpenNebulaVersions

// releases finds missing releases: a front-end sees only apps that name its own release.
func (l *linter) releases(n *node) {
	value := n.get("opennebula_version")
	if value.empty() {
		return
	}
	var named []string
	for _, release := range strings.Split(value.str(), ",") {
		release = strings.TrimSpace(release)
		if err := app.CheckOpenNebulaVersion(release); err != nil {
			l.add(value.line, ruleOpenNebulaVersion, "%q %v", release, err)
			continue
		}
		named = append(named, release)
	}
	if value.kind != text {
		l.add(value.line, ruleOpenNebulaVersion, "%s is read as a number", value.str())
	}
	first := slices.IndexFunc(knownReleases, func(r string) bool { return slices.Contains(named, r) })
	for _, release := range knownReleases[max(first, 0):] {
		if !slices.Contains(named, release) {
			l.add(value.line, ruleOpenNebulaVersion, "front-ends of release %s do not see the app", release)
		}
	}
}
