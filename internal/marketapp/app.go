// Package marketapp describes the appliance as a marketplace sees it: the app with its
// texts, and the VM template that comes with it. Everything a marketplace, an OpenNebula
// or a pull request says about the appliance is derived from here, whatever its format.
package marketapp

import (
	"errors"
	"regexp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// App is one version of the appliance, without its image.
type App struct {
	Name             string
	Version          string
	Publisher        string
	PublisherEmail   string
	Description      string
	ShortDescription string
	Tags             []string
	// Logo is the base name of a PNG file that the cloud's web interface has.
	Logo string
	// OpenNebulaVersions are the releases the app is offered to: "7.0".
	OpenNebulaVersions []string
	// CPU is the share of the host's CPUs that is reserved, VCPU what the guest sees.
	CPU       int
	VCPU      int
	MemoryMiB int
}

// Default is the appliance with every text filled in but the version.
func Default() App {
	return App{
		Name:             appliance.Title,
		Publisher:        appliance.Title,
		ShortDescription: "Private AI coding copilot that runs on CPU alone",
		Description: strings.Join([]string{
			"A private AI coding copilot with an OpenAI-compatible API, on CPU alone: no GPU, and no",
			"code leaves the virtual machine.",
			"",
			"Point Cline, Continue, aider, OpenCode, a JetBrains IDE or an OpenAI SDK at",
			"`https://<address of the VM>/v1`. The user name is `" + appliance.APIUser + "`; the password, and how to",
			"trust the certificate, are in `" + appliance.ReportFile + "` inside the VM.",
		}, "\n"),
		Tags:               []string{"ai", "llm", "copilot", "cpu"},
		OpenNebulaVersions: []string{"6.10", "7.0", "7.2", "7.4"},
		// What a model of 24 billion parameters in four bits wants.
		CPU:       16,
		VCPU:      16,
		MemoryMiB: 32768,
	}
}

// Title is the name the app has in a cloud. It holds the version, because OpenNebula
// knows an app by its name alone: two versions under one name would overwrite each other
// at every refresh, and so would a private app of the same name.
func (a App) Title() string {
	return a.Name + " " + a.Version
}

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
	for _, r := range text {
		if r < ' ' || r == 0x7F {
			return errors.New("must be one line without control characters")
		}
	}
	return CheckText(text)
}

// CheckText says why oned would break on text: a backslash at the end swallows the
// closing quote, "]]>" ends the CDATA section it is stored in, and a character above
// U+FFFF makes every later answer about the object fail.
func CheckText(text string) error {
	switch {
	case strings.HasSuffix(text, `\`):
		return errors.New("must not end in a backslash")
	case strings.Contains(text, "]]>"):
		return errors.New(`must not hold "]]>"`)
	}
	for _, r := range text {
		if r > 0xFFFF {
			return errors.New("must not hold characters above U+FFFF such as emoji")
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
