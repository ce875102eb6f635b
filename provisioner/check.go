package provisioner

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hclunknown"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sbom"
)

var (
	// The id stands in file names, YAML and URLs without quoting.
	idPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)
	// Labels stand in the message of the day and in the report.
	labelPattern = regexp.MustCompile(`^[ -~]{0,100}$`)
	// archivePattern tells an archive from a directory without looking at the disk.
	archivePattern = regexp.MustCompile(`\.(tar|tar\.gz|tgz|tar\.zst)$`)
	// packagePattern is Debian's grammar of names (Policy 5.6.7), but for a hyphen at the
	// end, which would have apt remove the package.
	packagePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*[a-z0-9+.]$`)
)

// check returns every mistake. Of files it looks at the lock alone: a template is validated
// on machines that hold none of the others.
func (c *Config) check() []error {
	var mistakes []error
	field := func(name, value string, rule func(string) error) {
		if hclunknown.Is(value) {
			return
		}
		if err := rule(value); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", name, err))
		}
	}
	field("context", c.Context, checkContext)
	if c.Context == contextCloudInit && c.ContextPackage != (ContextPackage{}) {
		mistakes = append(mistakes, fmt.Errorf("context_package: is for context = %q alone", contextOneContext))
	}
	for _, p := range c.payloads() {
		mistakes = append(mistakes, c.checkPayload(p)...)
	}
	if c.lockIsKnown() || c.LocalAI.Version != "" {
		field("localai.version", c.LocalAI.Version, matches(appliance.VersionPattern, `a version such as "v4.9.0"`))
	}
	field("model.id", c.Model.ID, matches(idPattern, "up to 64 letters, digits, dots, underscores and hyphens, a letter or digit first"))
	field("model.name", c.Model.Name, matches(labelPattern, "up to 100 printable ASCII characters"))
	field("model.quantization", c.Model.Quantization, matches(labelPattern, "up to 100 printable ASCII characters"))
	field("model.license", c.Model.License, checkLicense)
	for i, name := range c.Packages {
		field(fmt.Sprintf("packages[%d]", i), name, matches(packagePattern, "the name of a Debian package"))
	}
	field("appliance_version", c.ApplianceVersion, matches(appliance.VersionPattern, `a version such as "1.0.0"`))
	return mistakes
}

func checkLicense(expression string) error {
	if expression == "" {
		return nil
	}
	return sbom.CheckLicense(expression)
}

func checkContext(value string) error {
	if value != contextCloudInit && value != contextOneContext {
		return fmt.Errorf("must be %q or %q, got %q", contextCloudInit, contextOneContext, value)
	}
	return nil
}

// checkPayload goes on to ask for the digest only where nothing is wrong with the rest.
func (c *Config) checkPayload(p payloadBlock) []error {
	if hclunknown.Is(p.source) || hclunknown.Is(p.checksum) {
		return nil
	}
	var mistakes []error
	if p.source != "" {
		if err := p.checkSource(); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s.source: %w", p.field, err))
		}
	}
	if err := p.checkChecksum(); err != nil {
		mistakes = append(mistakes, fmt.Errorf("%s.checksum: %w", p.field, err))
	}
	if len(mistakes) == 0 && c.lockIsKnown() {
		if _, err := c.pin(p, ""); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	return mistakes
}

func (p payloadBlock) checkSource() error {
	if p.field == fieldBackend && ociimage.IsReference(p.source) {
		return ociimage.CheckReference(p.source)
	}
	if !strings.Contains(p.source, "://") {
		return nil
	}
	u, err := url.Parse(p.source)
	// The parse error would repeat the URL, and a URL may hold a password.
	if err != nil || !fetch.IsURL(p.source) || u.Host == "" {
		return fmt.Errorf("must be a path or an http(s) URL%s", p.alsoOCI())
	}
	if p.field == fieldBackend && !isArchive(p.source) {
		return errors.New("must end in .tar, .tar.gz, .tgz or .tar.zst when it is a URL")
	}
	return nil
}

func (p payloadBlock) alsoOCI() string {
	if p.field == fieldBackend {
		return ", or an OCI image (oci://host/repository:tag)"
	}
	return ""
}

func (p payloadBlock) checkChecksum() error {
	switch {
	case p.checksum == "":
		return nil
	case p.checksum == fetch.Unchecked && p.source == "":
		return fmt.Errorf("%q is for a local file, and no source is given", fetch.Unchecked)
	case p.checksum == fetch.Unchecked && (fetch.IsURL(p.source) || ociimage.IsReference(p.source)):
		return errors.New(`must be "sha256:<hex>" when the source is downloaded`)
	}
	return fetch.CheckChecksum(p.checksum)
}

// isArchive goes by the name, without the query of a URL.
func isArchive(source string) bool {
	if fetch.IsURL(source) {
		source, _, _ = strings.Cut(source, "?")
	}
	return archivePattern.MatchString(source)
}

func matches(pattern *regexp.Regexp, rule string) func(string) error {
	return func(value string) error {
		if pattern.MatchString(value) {
			return nil
		}
		if value == "" {
			return errors.New("must be set to " + rule)
		}
		return fmt.Errorf("must be %s, got %q", rule, value)
	}
}
