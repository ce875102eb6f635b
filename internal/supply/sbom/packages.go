package sbom

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// PackagesFormat is for "dpkg-query --show --showformat=...", which interprets the escapes
// itself.
const PackagesFormat = `${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\n`

// Package is one installed package of the distribution, as dpkg reports it.
type Package struct {
	Name, Version string
	// Arch is Debian's name: "amd64", "all".
	Arch string
	// SourceName is the source package it was built from.
	SourceName string
}

// The syntax defined by Debian Policy 5.6.1, 5.6.8 and 5.6.12.
var (
	packageNamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)
	versionPattern     = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+~:-]*$`)
	archPattern        = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
)

// present maps each dpkg status to whether the files of a package with it are installed.
var present = map[string]bool{
	"installed":        true,
	"triggers-pending": true,
	"triggers-awaited": true,
	"half-configured":  true,
	"unpacked":         true,
	"half-installed":   false,
	"config-files":     false,
	"not-installed":    false,
}

// ParsePackages parses the output of dpkg-query in PackagesFormat, and returns the packages
// whose files are installed, sorted. The error lists every line that cannot be parsed.
func ParsePackages(text string) ([]Package, error) {
	var packages []Package
	var mistakes []error
	number := 0
	for line := range strings.Lines(text) {
		number++
		p, there, err := parsePackage(strings.TrimSuffix(line, "\n"))
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("line %d: %w", number, err))
		}
		if there {
			packages = append(packages, p)
		}
	}
	if len(packages) == 0 && len(mistakes) == 0 {
		mistakes = append(mistakes, errors.New("it names none"))
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, fmt.Errorf("read dpkg's list of packages: %w", err)
	}
	return sorted(packages), nil
}

func parsePackage(line string) (p Package, there bool, err error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 5 {
		return Package{}, false, fmt.Errorf("%q has %d fields, not 5", line, len(fields))
	}
	there, known := present[fields[0]]
	if !known {
		return Package{}, false, fmt.Errorf("%q is not a status of dpkg", fields[0])
	}
	if !there {
		return Package{}, false, nil
	}
	p = Package{Name: fields[1], Version: fields[2], Arch: fields[3], SourceName: fields[4]}
	return p, true, p.check()
}

func (p Package) check() error {
	if !packageNamePattern.MatchString(p.Name) || !versionPattern.MatchString(p.Version) ||
		!archPattern.MatchString(p.Arch) || !packageNamePattern.MatchString(p.SourceName) {
		return fmt.Errorf("%q, version %q for %q from source %q is not a package of Debian's", p.Name, p.Version, p.Arch, p.SourceName)
	}
	return nil
}

// sorted uses a total order, so that the result does not depend on the order of the input.
func sorted(packages []Package) []Package {
	packages = slices.Clone(packages)
	slices.SortFunc(packages, func(a, b Package) int {
		return cmp.Or(
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch),
			cmp.Compare(a.Version, b.Version), cmp.Compare(a.SourceName, b.SourceName),
		)
	})
	return packages
}

// twice returns an error for each package that occurs more than once; dpkg lists each once per
// architecture.
func twice(packages []Package) []error {
	var mistakes []error
	packages = sorted(packages)
	for n := 1; n < len(packages); n++ {
		if p := packages[n]; p.Name == packages[n-1].Name && p.Arch == packages[n-1].Arch {
			mistakes = append(mistakes, fmt.Errorf("%s for %s is listed twice", p.Name, p.Arch))
		}
	}
	return mistakes
}
