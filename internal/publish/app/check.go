package app

import (
	"errors"
	"regexp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/storedtext"
)

var (
	logoPattern       = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*\.png$`)
	openNebulaPattern = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)
)

// CheckVersion returns an error if version cannot be used in object and file names.
func CheckVersion(version string) error {
	if !appliance.VersionPattern.MatchString(version) {
		return errors.New(`must be a version such as "1.0.0": up to 64 letters, digits and . _ + ~ -`)
	}
	return nil
}

// CheckLogo returns an error if logo is not the base name of a PNG file.
func CheckLogo(logo string) error {
	if !logoPattern.MatchString(logo) {
		return errors.New(`must be the base name of a PNG file such as "slm-copilot.png"`)
	}
	return nil
}

// CheckOpenNebulaVersion returns an error if version is not a release such as "7.0".
func CheckOpenNebulaVersion(version string) error {
	if !openNebulaPattern.MatchString(version) {
		return errors.New(`must be a release such as "7.0"`)
	}
	return nil
}

// CheckLine returns an error if oned would not store text unchanged in a single-line
// attribute.
func CheckLine(text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("must not be empty")
	}
	if strings.Contains(text, "\n") {
		return errors.New("must be one line")
	}
	return storedtext.CheckQuoted(text)
}

// CheckTag is CheckLine, and refuses commas too: OpenNebula separates tags with them.
func CheckTag(tag string) error {
	if strings.Contains(tag, ",") {
		return errors.New("must not hold a comma")
	}
	return CheckLine(tag)
}
