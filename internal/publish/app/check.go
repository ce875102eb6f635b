package app

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

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

// CheckText says why oned would break on text: a backslash at the end swallows the
// closing quote, "]]>" ends the CDATA section it is stored in, a character above U+FFFF
// makes every later answer about the object fail, and a control character but a newline is
// stored as something else.
func CheckText(text string) error {
	switch {
	case strings.HasSuffix(text, `\`):
		return errors.New("must not end in a backslash")
	case strings.Contains(text, "]]>"):
		return errors.New(`must not hold "]]>"`)
	case !utf8.ValidString(text):
		return errors.New("must be valid UTF-8")
	}
	for _, r := range text {
		switch {
		case r > 0xFFFF:
			return errors.New("must not hold characters above U+FFFF such as emoji")
		case r < ' ' && r != '\n' || r == 0x7F:
			return fmt.Errorf("must not hold the control character %U", r)
		}
	}
	return nil
}

// CheckTag is CheckLine without commas, which OpenNebula joins tags with.
func CheckTag(tag string) error {
	if strings.Contains(tag, ",") {
		return errors.New("must not hold a comma")
	}
	return CheckLine(tag)
}
