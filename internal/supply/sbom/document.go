package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

const (
	noAssertion = "NOASSERTION"
	documentID  = "SPDXRef-DOCUMENT"
	imageID     = "SPDXRef-Image"
	// namespaceBase leads nowhere: SPDX wants a name that nobody else gives.
	namespaceBase = "https://github.com/slm-copilot/packer-plugin-slm-copilot/spdx/"
)

// purposes are those of SPDX 2.3, 7.24.
var purposes = []string{
	"APPLICATION", "FRAMEWORK", "LIBRARY", "CONTAINER", "OPERATING-SYSTEM", "DEVICE",
	"FIRMWARE", "SOURCE", "ARCHIVE", "FILE", "INSTALL", "OTHER",
}

func (i Image) document() document {
	d := document{
		SPDXVersion: "SPDX-2.3",
		DataLicense: "CC0-1.0",
		ID:          documentID,
		Name:        i.Name + "-" + i.Version,
		CreationInfo: creationInfo{
			Created:  i.Created.UTC().Format(time.RFC3339),
			Creators: []string{"Tool: packer-plugin-slm-copilot-" + appliance.Version},
		},
		Packages: []spdxPackage{describe(spdxPackage{
			ID: imageID, Name: i.Name, Version: i.Version, Purpose: purpose("OPERATING-SYSTEM"),
		})},
		Licenses:      ownLicenses(i.Components),
		Relationships: []relationship{{documentID, "DESCRIBES", imageID}},
	}
	for n, c := range i.Components {
		d.contain(c.spdx(n + 1))
	}
	for _, p := range sorted(i.Packages) {
		d.contain(p.spdx(i.OSID, i.OSRelease))
	}
	d.Namespace = d.namespace()
	return d
}

func (d *document) contain(p spdxPackage) {
	d.Packages = append(d.Packages, p)
	d.Relationships = append(d.Relationships, relationship{imageID, "CONTAINS", p.ID})
}

// namespace is another one for every other content, and the same for the same.
func (d *document) namespace() string {
	d.Namespace = ""
	// Strings alone, which JSON can always hold.
	content, _ := json.Marshal(d)
	sum := sha256.Sum256(content)
	return namespaceBase + sourceuri.Escape(d.Name) + "-" + hex.EncodeToString(sum[:])
}

func (c Component) spdx(number int) spdxPackage {
	name := sourceuri.Strip(c.Name)
	p := describe(spdxPackage{
		ID:      fmt.Sprintf("SPDXRef-Component-%d-%s", number, id(name)),
		Name:    name,
		Version: c.Version,
		Purpose: purpose(c.Purpose),
	})
	if c.License != "" {
		p.LicenseDeclared = c.License
	}
	if c.SHA256 != "" {
		p.Checksums = []checksum{{"SHA256", c.SHA256}}
	}
	p.DownloadLocation, p.References = origin(c)
	return p
}

func (p Package) spdx(osID, osRelease string) spdxPackage {
	return describe(spdxPackage{
		ID:         "SPDXRef-Package-" + p.Arch + "-" + id(p.Name),
		Name:       p.Name,
		Version:    p.Version,
		SourceInfo: "built from the source package " + p.SourceName,
		References: []externalRef{packageURL(debPURL(p, osID, osRelease))},
	})
}

// describe fills in what SPDX demands and nobody here knows. What is declared is what was
// told; nobody read the code to conclude anything.
func describe(p spdxPackage) spdxPackage {
	p.Supplier = noAssertion
	p.DownloadLocation = noAssertion
	p.LicenseConcluded = noAssertion
	p.LicenseDeclared = noAssertion
	p.Copyright = noAssertion
	return p
}

// purpose is spelled with "_" in JSON.
func purpose(name string) string { return strings.ReplaceAll(name, "-", "_") }
