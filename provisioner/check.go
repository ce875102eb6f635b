package provisioner

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sbom"
)

var (
	// The id is used unquoted in file names, YAML and URLs.
	idPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)
	// Labels are shown in the message of the day and in the report.
	labelPattern = regexp.MustCompile(`^[ -~]{0,100}$`)
	// archivePattern distinguishes an archive from a directory by its name alone.
	archivePattern = regexp.MustCompile(`\.(tar|tar\.gz|tgz|tar\.zst)$`)
	// packagePattern is Debian's syntax of package names (Policy 5.6.7), but rejects a
	// trailing hyphen, with which apt would remove the package.
	packagePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*[a-z0-9+.]$`)
)

// check looks only at the values and at the lock, because a template must validate on
// machines that have none of the other files.
func (c *Config) check(fields *fieldcheck.Fields) {
	fields.Check("context", c.Context, fieldcheck.OneOf(appliance.CloudInit, appliance.OneContext))
	fields.Expect(c.Context != appliance.CloudInit || c.ContextPackage == (ContextPackage{}),
		"context_package", "is for context = %q alone", appliance.OneContext)
	for _, p := range c.payloads() {
		c.checkPayload(fields, p)
	}
	if fields.Settled("lock_file") || c.LocalAI.Version != "" {
		fields.Check("localai.version", c.LocalAI.Version, fieldcheck.Matches(appliance.VersionPattern, `a version such as "v4.9.0"`))
	}
	fields.Check("model.id", c.Model.ID, fieldcheck.Matches(idPattern, "up to 64 letters, digits, dots, underscores and hyphens, a letter or digit first"))
	isLabel := fieldcheck.Matches(labelPattern, "up to 100 printable ASCII characters")
	fields.Check("model.name", c.Model.Name, isLabel)
	fields.Check("model.quantization", c.Model.Quantization, isLabel)
	fields.CheckOptional("model.license", c.Model.License, sbom.CheckLicense)
	fields.CheckEach("packages", c.Packages, fieldcheck.Matches(packagePattern, "the name of a Debian package"))
	fields.CheckOptional("appliance_version", c.ApplianceVersion, fieldcheck.Matches(appliance.VersionPattern, `a version such as "1.0.0"`))
}

// checkPayload looks for a digest only if the other values are valid.
func (c *Config) checkPayload(fields *fieldcheck.Fields, p payloadBlock) {
	source, checksum := p.field+".source", p.field+".checksum"
	fields.CheckOptional(source, p.source, p.checkSource)
	fields.CheckOptional(checksum, p.checksum, p.checkChecksum)
	if fields.Settled("lock_file", source, checksum) {
		_, err := c.pin(p, "")
		fields.Add(err)
	}
}

func (p payloadBlock) checkSource(source string) error {
	if p.field != fieldBackend {
		return fieldcheck.PathOrURL(source)
	}
	if ociimage.IsReference(source) {
		return ociimage.CheckReference(source)
	}
	if err := fieldcheck.PathOrURL(source); err != nil {
		return fmt.Errorf("%w, or an OCI image (oci://host/repository:tag)", err)
	}
	if fetch.IsURL(source) && !isArchive(source) {
		return errors.New("must end in .tar, .tar.gz, .tgz or .tar.zst when it is a URL")
	}
	return nil
}

func (p payloadBlock) checkChecksum(checksum string) error {
	switch {
	case checksum == fetch.Unchecked && p.source == "":
		return fmt.Errorf("%q is for a local file, and no source is given", fetch.Unchecked)
	case checksum == fetch.Unchecked && (fetch.IsURL(p.source) || ociimage.IsReference(p.source)):
		return errors.New(`must be "sha256:<hex>" when the source is downloaded`)
	}
	return fetch.CheckChecksum(checksum)
}

// isArchive looks at the name, and ignores the query of a URL.
func isArchive(source string) bool {
	if fetch.IsURL(source) {
		source, _, _ = strings.Cut(source, "?")
	}
	return archivePattern.MatchString(source)
}
