package app

import (
	"errors"
	"regexp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

var (
	logoPattern       = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*\.png$`)
	openNebulaPattern = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)
)

// CheckVersion says why version cannot stand in object and file names.
func CheckVersion(version string) error {
	if !appliance.VersionPattern.MatchString(version) {
		return errors.New(`must be a version such as "1.0.0": up to 64 letters, digits and . _ + ~ -`)
	}
	return nil
}

// CheckLogo says why logo is not the base name of a PNG file.
func CheckLogo(logo string) error {
	if !logoPattern.MatchString(logo) {
		return errors.New(`must be the base name of a PNG file such as "slm-copilot.png"`)
	}
	return nil
}

// CheckOpenNebulaVersion says why version is not a release such as "7.0".
func CheckOpenNebulaVersion(version string) error {
	if !openNebulaPattern.MatchString(version) {
		return errors.New(`must be a release such as "7.0"`)
	}
	return nil
}

// CheckLine says why oned would not keep text as it is in an attribute of one line.
func CheckLine(text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("must not be empty")
	}
	if strings.Contains(text, "\n") {
		return errors.New("must be one line")
	}
	return CheckText(text)
}

// CheckText says why oned would break on text in its plain syntax, where a backslash at the
// end swallows the closing quote, or would not keep it as it is.
func CheckText(text string) error {
	if strings.HasSuffix(text, `\`) {
		return errors.New("must not end in a backslash")
	}
	return appliance.CheckValue(text)
}

// CheckTag is CheckLine without commas, which OpenNebula joins tags with.
func CheckTag(tag string) error {
	if strings.Contains(tag, ",") {
		return errors.New("must not hold a comma")
	}
	return CheckLine(tag)
}
