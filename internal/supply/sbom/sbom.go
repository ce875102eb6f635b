// Package sbom generates the software bill of materials (SBOM) of an image: SPDX 2.3 in JSON.
// Equal content gives equal bytes.
package sbom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Image is the image that a bill of materials describes.
type Image struct {
	// Name and Version are the image's: "slm-copilot", "1.0.0".
	Name, Version string
	// OSID and OSRelease are ID and VERSION_ID of its /etc/os-release: "debian", "12".
	OSID, OSRelease string
	// Created is when the document was created; it is written in UTC, to the second.
	Created time.Time
	// Components are what was baked in besides distribution packages.
	Components []Component
	// Packages are the packages dpkg reports, in any order.
	Packages []Package
}

// Component is one thing baked into the image.
type Component struct {
	Name, Version string
	// License is an SPDX licence expression (CheckLicense); empty if unknown.
	License string
	// Source is where it came from: an http(s) URL or "oci://host/repository[:tag][@digest]".
	// A path on the build host means nothing to a reader and is left out.
	Source string
	// SHA256 is that of the file, or of the manifest of an OCI image: 64 lower-case
	// hexadecimal digits. Empty if unknown.
	SHA256 string
	// Purpose is a primaryPackagePurpose of SPDX 2.3 ("APPLICATION", "LIBRARY", "FILE",
	// "OPERATING-SYSTEM", ...); empty if none fits.
	Purpose string
}

// Encode returns the document, or an error that lists everything SPDX does not allow.
func (i Image) Encode() ([]byte, error) {
	if err := i.check(); err != nil {
		return nil, fmt.Errorf("write the bill of materials of %s %s: %w", i.Name, i.Version, err)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	// A package URL may contain "&".
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(i.document()); err != nil {
		return nil, fmt.Errorf("write the bill of materials of %s %s: %w", i.Name, i.Version, err)
	}
	return text.Bytes(), nil
}

func (i Image) check() error {
	var mistakes []error
	if i.Name == "" || i.Version == "" {
		mistakes = append(mistakes, errors.New("an image has a name and a version"))
	}
	if i.OSID == "" || i.OSRelease == "" {
		mistakes = append(mistakes, errors.New("ID and VERSION_ID of the operating system are missing"))
	}
	if i.Created.IsZero() {
		mistakes = append(mistakes, errors.New("the time of its creation is missing"))
	}
	for n, c := range i.Components {
		if err := c.check(); err != nil {
			mistakes = append(mistakes, fmt.Errorf("component %d (%s): %w", n+1, c.Name, err))
		}
	}
	for _, p := range i.Packages {
		if err := p.check(); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	return errors.Join(append(mistakes, twice(i.Packages)...)...)
}

func (c Component) check() error {
	var mistakes []error
	if c.Name == "" {
		mistakes = append(mistakes, errors.New("it has no name"))
	}
	if c.License != "" {
		mistakes = append(mistakes, CheckLicense(c.License))
	}
	if c.SHA256 != "" && !sha256Pattern.MatchString(c.SHA256) {
		mistakes = append(mistakes, fmt.Errorf("%q is not a SHA-256 (64 lower-case hexadecimal digits)", c.SHA256))
	}
	if c.Purpose != "" && !slices.Contains(purposes, c.Purpose) {
		mistakes = append(mistakes, fmt.Errorf("%q is not a primaryPackagePurpose of SPDX 2.3", c.Purpose))
	}
	return errors.Join(mistakes...)
}
