package sbom

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// licenseIDPattern matches an idstring of SPDX 2.3, annex D, with "+" for "or later".
var licenseIDPattern = regexp.MustCompile(`^[A-Za-z0-9.-]+\+?$`)

// licenseRefPattern matches a licence that is not on SPDX's list.
var licenseRefPattern = regexp.MustCompile(`^LicenseRef-[A-Za-z0-9.-]+$`)

// licenseWords splits an expression into words; brackets are words of their own.
func licenseWords(expression string) []string {
	return strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(expression))
}

// CheckLicense returns an error if expression is not an SPDX licence expression such as
// "Apache-2.0", "MIT OR (GPL-2.0-only WITH Classpath-exception-2.0)" or
// "LicenseRef-Proprietary". It does not check whether an identifier is on SPDX's list, because
// the list grows.
func CheckLicense(expression string) error {
	words := licenseWords(expression)
	rest, ok := licenseTerms(words)
	if !ok || len(rest) > 0 || len(expression) > 1000 {
		return fmt.Errorf("%q is not an SPDX licence expression; write one such as Apache-2.0, MIT OR BSD-3-Clause, or LicenseRef-<name> for a licence that https://spdx.org/licenses does not list", expression)
	}
	return nil
}

// licenseTerms parses terms joined by AND and OR, and returns what follows them.
func licenseTerms(words []string) (rest []string, ok bool) {
	for {
		words, ok = licenseTerm(words)
		if !ok || len(words) == 0 || (words[0] != "AND" && words[0] != "OR") {
			return words, ok
		}
		words = words[1:]
	}
}

// licenseTerm parses one licence, with its exception if it has one, or an expression in
// brackets.
func licenseTerm(words []string) (rest []string, ok bool) {
	if len(words) == 0 {
		return nil, false
	}
	if words[0] == "(" {
		rest, ok = licenseTerms(words[1:])
		if !ok || len(rest) == 0 || rest[0] != ")" {
			return nil, false
		}
		return rest[1:], true
	}
	if !isLicenseID(words[0]) {
		return nil, false
	}
	words = words[1:]
	if len(words) == 0 || words[0] != "WITH" {
		return words, true
	}
	if len(words) < 2 || !isLicenseID(words[1]) {
		return nil, false
	}
	return words[2:], true
}

func isLicenseID(word string) bool {
	return licenseIDPattern.MatchString(word) && !slices.Contains([]string{"AND", "OR", "WITH"}, word)
}

// ownLicenses returns the licences in a document that SPDX does not list; each must be
// described in the document. Their texts are not available here.
func ownLicenses(components []Component) []*spdx.OtherLicense {
	var found []*spdx.OtherLicense
	for _, c := range components {
		for _, word := range licenseWords(c.License) {
			if !licenseRefPattern.MatchString(word) || slices.ContainsFunc(found, func(l *spdx.OtherLicense) bool { return l.LicenseIdentifier == word }) {
				continue
			}
			text := "The text is not part of this document; it comes with " + sourceuri.Strip(c.Name) + "."
			found = append(found, &spdx.OtherLicense{LicenseIdentifier: word, ExtractedText: text, LicenseName: strings.TrimPrefix(word, "LicenseRef-")})
		}
	}
	return found
}
