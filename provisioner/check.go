package provisioner

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sbom"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

var (
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
	c.checkModels(fields)
	fields.CheckEach("packages", c.Packages, fieldcheck.Matches(packagePattern, "the name of a Debian package"))
	fields.CheckOptional("appliance_version", c.ApplianceVersion, fieldcheck.Matches(appliance.VersionPattern, `a version such as "1.0.0"`))
}

func (c *Config) checkModels(fields *fieldcheck.Fields) {
	isLabel := fieldcheck.Matches(labelPattern, "up to 100 printable ASCII characters")
	var ids, sources []string
	var idFields, sourceFields []string
	for _, m := range c.models() {
		idFields, ids = append(idFields, m.field+".id"), append(ids, m.ID)
		// The lock of the image tells local files by their names alone.
		locked, _ := c.lock.FindModel("", m.Source, m.ID)
		if source := cmp.Or(m.Source, locked.Source); source != "" {
			sourceFields, sources = append(sourceFields, m.field+".source"), append(sources, sourceuri.Shown(source))
		}
		// The lock may still tell the id of a source that is not known yet.
		if m.ID != "" || m.Source != "" && fields.Settled("lock_file", m.field+".source") {
			fields.Check(m.field+".id", m.ID, appliance.CheckModelID)
		}
		fields.Expect(m.field == fieldModel || appliance.OtherModelFile(m.ID) != appliance.ModelFile,
			m.field+".id", "must not be %q: the default model has this file name", m.ID)
		fields.Check(m.field+".name", m.Name, isLabel)
		fields.Check(m.field+".quantization", m.Quantization, isLabel)
		fields.CheckOptional(m.field+".license", m.License, sbom.CheckLicense)
	}
	fields.Distinct(idFields, ids)
	fields.Distinct(sourceFields, sources)
}

// checkPayload looks for a digest only if the other values are valid.
func (c *Config) checkPayload(fields *fieldcheck.Fields, p payloadBlock) {
	source, checksum := p.field+".source", p.field+".checksum"
	fields.CheckOptional(source, p.source, p.checkSource)
	fields.CheckOptional(checksum, p.checksum, p.checkChecksum)
	if fields.Settled("lock_file", source, checksum) && !fieldcheck.IsUnknown(p.id) {
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
