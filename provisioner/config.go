//go:generate packer-sdc mapstructure-to-hcl2 -type Config,LocalAI,Backend,Model

package provisioner

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hclunknown"
)

// Config is what a template may say in provisioner "slm-copilot". All three payloads
// must be named: a default would have to invent a digest.
type Config struct {
	// LocalAI is the engine.
	LocalAI LocalAI `mapstructure:"localai"`
	// Backend is what the engine starts to run the model.
	Backend Backend `mapstructure:"backend"`
	// Model is the weights.
	Model Model `mapstructure:"model"`
	// ApplianceVersion is the version of the image, "1.0.0" unless given.
	ApplianceVersion string `mapstructure:"appliance_version"`
}

// LocalAI is the block "localai": the bare binary of a LocalAI release.
type LocalAI struct {
	// Source is a path or an http(s) URL.
	Source string `mapstructure:"source"`
	// Checksum is "sha256:<hex>", or "none" for a local file taken as it is.
	Checksum string `mapstructure:"checksum"`
	// Version is the release, "v4.9.0". The appliance reports it.
	Version string `mapstructure:"version"`
}

// Backend is the block "backend": the unpacked llama-cpp backend, with run.sh at its top.
type Backend struct {
	// Source is a directory, or a path or URL of a .tar, .tar.gz, .tgz or .tar.zst.
	Source string `mapstructure:"source"`
	// Checksum is as for LocalAI. A directory has none.
	Checksum string `mapstructure:"checksum"`
}

// Model is the block "model": one GGUF file.
type Model struct {
	// Source is a path or an http(s) URL.
	Source string `mapstructure:"source"`
	// Checksum is "sha256:<hex>", or "none" for a local file taken as it is.
	Checksum string `mapstructure:"checksum"`
	// ID is what clients send as "model".
	ID string `mapstructure:"id"`
	// Name is for people, "Devstral Small 2 24B"; the id unless given.
	Name string `mapstructure:"name"`
	// Quantization is for people, "Q4_K_M".
	Quantization string `mapstructure:"quantization"`
}

const defaultApplianceVersion = "1.0.0"

var (
	// The id stands in file names, YAML and URLs without quoting.
	idPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)
	// Labels stand in the message of the day and in the report.
	labelPattern = regexp.MustCompile(`^[ -~]{0,100}$`)
	// archivePattern tells an archive from a directory without looking at the disk.
	archivePattern = regexp.MustCompile(`\.(tar|tar\.gz|tgz|tar\.zst)$`)
)

func (c *Config) decode(raws ...any) error {
	err := config.Decode(c, &config.DecodeOpts{PluginType: appliance.Name, Interpolate: true}, raws...)
	if err != nil {
		return err
	}
	c.setDefaults()
	if mistakes := c.check(); len(mistakes) > 0 {
		return packersdk.MultiErrorAppend(nil, mistakes...)
	}
	return nil
}

func (c *Config) setDefaults() {
	for field, value := range map[*string]string{
		&c.ApplianceVersion: defaultApplianceVersion,
		&c.Model.ID:         appliance.ModelID,
	} {
		if *field == "" {
			*field = value
		}
	}
	if c.Model.Name == "" {
		c.Model.Name = c.Model.ID
	}
}

// check returns every mistake. It looks at nothing but the values: a template is
// validated on machines that hold none of the files.
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
	field("localai.source", c.LocalAI.Source, checkSource)
	field("localai.checksum", c.LocalAI.Checksum, checksumRule(c.LocalAI.Source))
	field("localai.version", c.LocalAI.Version, matches(appliance.VersionPattern, `a version such as "v4.9.0"`))
	field("backend.source", c.Backend.Source, checkBackendSource)
	field("backend.checksum", c.Backend.Checksum, backendChecksumRule(c.Backend.Source))
	field("model.source", c.Model.Source, checkSource)
	field("model.checksum", c.Model.Checksum, checksumRule(c.Model.Source))
	field("model.id", c.Model.ID, matches(idPattern, "up to 64 letters, digits, dots, underscores and hyphens, a letter or digit first"))
	field("model.name", c.Model.Name, matches(labelPattern, "up to 100 printable ASCII characters"))
	field("model.quantization", c.Model.Quantization, matches(labelPattern, "up to 100 printable ASCII characters"))
	field("appliance_version", c.ApplianceVersion, matches(appliance.VersionPattern, `a version such as "1.0.0"`))
	return mistakes
}

func checkSource(source string) error {
	if source == "" {
		return errors.New("must be set to a path or an http(s) URL")
	}
	if !strings.Contains(source, "://") {
		return nil
	}
	u, err := url.Parse(source)
	// The parse error would repeat the URL, and a URL may hold a password.
	if err != nil || !fetch.IsURL(source) || u.Host == "" {
		return errors.New("must be a path or an http(s) URL")
	}
	return nil
}

func checkBackendSource(source string) error {
	if err := checkSource(source); err != nil {
		return err
	}
	if fetch.IsURL(source) && !isArchive(source) {
		return errors.New("must end in .tar, .tar.gz, .tgz or .tar.zst when it is a URL")
	}
	return nil
}

// checksumRule depends on the source: a download is never taken unchecked.
func checksumRule(source string) func(string) error {
	return func(checksum string) error {
		if checksum == "" {
			return fmt.Errorf(`must be set: "sha256:<hex>", or %q for a local file taken as it is`, fetch.Unchecked)
		}
		if checksum == fetch.Unchecked && fetch.IsURL(source) {
			return errors.New(`must be "sha256:<hex>" when the source is a URL`)
		}
		return fetch.CheckChecksum(checksum)
	}
}

func backendChecksumRule(source string) func(string) error {
	return func(checksum string) error {
		isDirectory := source == "" || hclunknown.Is(source) || !isArchive(source)
		if checksum == "" && isDirectory {
			return nil
		}
		return checksumRule(source)(checksum)
	}
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
