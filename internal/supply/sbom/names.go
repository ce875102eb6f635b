package sbom

import (
	"fmt"
	"regexp"

	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

var (
	sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	notInID       = regexp.MustCompile(`[^a-zA-Z0-9.-]`)
)

// id converts name to an SPDX identifier, which may contain only letters, digits, "." and "-".
// Other bytes become "-" and two upper-case hexadecimal digits, so that g++ and g-- stay
// distinct.
func id(name string) string {
	return notInID.ReplaceAllStringFunc(name, func(r string) string { return fmt.Sprintf("-%X", r) })
}

func packageURL(locator string) *spdx.PackageExternalReference {
	return &spdx.PackageExternalReference{Category: common.CategoryPackageManager, RefType: "purl", Locator: locator}
}

func debPURL(p Package, osID, osRelease string) string {
	return fmt.Sprintf("pkg:deb/%s/%s@%s?arch=%s&distro=%s", sourceuri.Escape(osID),
		sourceuri.Escape(p.Name), sourceuri.Escape(p.Version), p.Arch, sourceuri.Escape(osID+"-"+osRelease))
}

// origin returns the download location of c, and for an image in a registry its package URL.
func origin(c Component) (location string, references []*spdx.PackageExternalReference) {
	checksum := ""
	if c.SHA256 != "" {
		checksum = digest.SHA256Prefix + c.SHA256
	}
	if locator := sourceuri.OCI(c.Source, checksum); locator != "" {
		return noAssertion, []*spdx.PackageExternalReference{packageURL(locator)}
	}
	if location := sourceuri.URL(c.Source); location != "" {
		return location, nil
	}
	return noAssertion, nil
}
