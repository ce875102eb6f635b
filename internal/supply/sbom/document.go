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
	// The library prepends SPDXRef- to an identifier.
	documentID = "DOCUMENT"
	imageID    = "Image"
	// namespaceBase does not resolve: SPDX only requires a globally unique URI.
	namespaceBase = "https://github.com/slm-copilot/packer-plugin-slm-copilot/spdx/"
)

// purposes are the values of SPDX 2.3, 7.24.
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

// namespace is derived from the content: equal documents have the same one, others differ. The
// document must not have one yet.
func namespace(d *spdx.Document) string {
	// The document consists of strings, which can always be encoded.
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

// describe sets the fields that SPDX requires but that are unknown here. The declared licence
// is the one given; none is concluded, because nobody analysed the code.
func describe(p spdx.Package) *spdx.Package {
	p.PackageSupplier = &common.Supplier{Supplier: noAssertion}
	p.PackageDownloadLocation = noAssertion
	p.PackageLicenseConcluded = noAssertion
	p.PackageLicenseDeclared = noAssertion
	p.PackageCopyrightText = noAssertion
	return &p
}

// purpose converts a name to its JSON spelling, with "_".
func purpose(name string) string { return strings.ReplaceAll(name, "-", "_") }
