package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

const (
	noAssertion = "NOASSERTION"
	// The library writes SPDXRef- before an identifier.
	documentID = "DOCUMENT"
	imageID    = "Image"
	// namespaceBase leads nowhere: SPDX wants a name that nobody else gives.
	namespaceBase = "https://github.com/slm-copilot/packer-plugin-slm-copilot/spdx/"
)

// purposes are those of SPDX 2.3, 7.24.
var purposes = []string{
	"APPLICATION", "FRAMEWORK", "LIBRARY", "CONTAINER", "OPERATING-SYSTEM", "DEVICE",
	"FIRMWARE", "SOURCE", "ARCHIVE", "FILE", "INSTALL", "OTHER",
}

func (i Image) document() *spdx.Document {
	d := &spdx.Document{
		SPDXVersion:    spdx.Version,
		DataLicense:    spdx.DataLicense,
		SPDXIdentifier: documentID,
		DocumentName:   i.Name + "-" + i.Version,
		CreationInfo: &spdx.CreationInfo{
			Created:  i.Created.UTC().Format(time.RFC3339),
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "packer-plugin-slm-copilot-" + appliance.Version}},
		},
		Packages: []*spdx.Package{describe(spdx.Package{
			PackageSPDXIdentifier: imageID, PackageName: i.Name, PackageVersion: i.Version, PrimaryPackagePurpose: purpose("OPERATING-SYSTEM"),
		})},
		OtherLicenses: ownLicenses(i.Components),
		Relationships: []*spdx.Relationship{relationship(documentID, "DESCRIBES", imageID)},
	}
	for n, c := range i.Components {
		contain(d, c.spdx(n+1))
	}
	for _, p := range sorted(i.Packages) {
		contain(d, p.spdx(i.OSID, i.OSRelease))
	}
	d.DocumentNamespace = namespace(d)
	return d
}

func contain(d *spdx.Document, p *spdx.Package) {
	d.Packages = append(d.Packages, p)
	d.Relationships = append(d.Relationships, relationship(imageID, "CONTAINS", p.PackageSPDXIdentifier))
}

func relationship(a common.ElementID, what string, b common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{
		RefA: common.DocElementID{ElementRefID: a}, Relationship: what, RefB: common.DocElementID{ElementRefID: b},
	}
}

// namespace is another one for every other content, and the same for the same. The document
// has none yet.
func namespace(d *spdx.Document) string {
	// Strings alone, which JSON can always hold.
	content, _ := json.Marshal(d)
	sum := sha256.Sum256(content)
	return namespaceBase + sourceuri.Escape(d.DocumentName) + "-" + hex.EncodeToString(sum[:])
}

func (c Component) spdx(number int) *spdx.Package {
	name := sourceuri.Strip(c.Name)
	p := describe(spdx.Package{
		PackageSPDXIdentifier: common.ElementID(fmt.Sprintf("Component-%d-%s", number, id(name))),
		PackageName:           name,
		PackageVersion:        c.Version,
		PrimaryPackagePurpose: purpose(c.Purpose),
	})
	if c.License != "" {
		p.PackageLicenseDeclared = c.License
	}
	if c.SHA256 != "" {
		p.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: c.SHA256}}
	}
	p.PackageDownloadLocation, p.PackageExternalReferences = origin(c)
	return p
}

func (p Package) spdx(osID, osRelease string) *spdx.Package {
	return describe(spdx.Package{
		PackageSPDXIdentifier:     common.ElementID("Package-" + p.Arch + "-" + id(p.Name)),
		PackageName:               p.Name,
		PackageVersion:            p.Version,
		PackageSourceInfo:         "built from the source package " + p.SourceName,
		PackageExternalReferences: []*spdx.PackageExternalReference{packageURL(debPURL(p, osID, osRelease))},
	})
}

// describe fills in what SPDX demands and nobody here knows. What is declared is what was
// told; nobody read the code to conclude anything.
func describe(p spdx.Package) *spdx.Package {
	p.PackageSupplier = &common.Supplier{Supplier: noAssertion}
	p.PackageDownloadLocation = noAssertion
	p.PackageLicenseConcluded = noAssertion
	p.PackageLicenseDeclared = noAssertion
	p.PackageCopyrightText = noAssertion
	return &p
}

// purpose is spelled with "_" in JSON.
func purpose(name string) string { return strings.ReplaceAll(name, "-", "_") }
