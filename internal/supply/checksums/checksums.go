// Package checksums reads and writes lists of digests, such as SHA256SUMS: in the formats of
// sha256sum(1) and sha512sum(1) (text, binary, --tag, escaped names), openssl and BSD, with
// DOS line ends too, and inside a clear-signed text, whose signature it does not verify.
package checksums

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// Sums are the digests a list states for one file, in lower-case hexadecimal; empty if it
// states none.
type Sums struct{ SHA256, SHA512 string }

// Line is one non-empty line of a list.
type Line struct {
	// Number is the 1-based line number.
	Number int
	// Name is empty if the line is not an entry.
	Name string
	// Sums are empty if the line has another kind of digest, or none.
	Sums Sums
}

// ErrNotListed is returned when a list has no entry for a file.
var ErrNotListed = errors.New("it has no entry for")

var (
	// plainEntry matches "<digest>  <name>", with an asterisk before the name of a binary
	// file.
	plainEntry = regexp.MustCompile(`^(\S+)[ \t]+\*?(.+)$`)
	// taggedEntry matches "SHA256 (<name>) = <digest>"; openssl omits the first space.
	taggedEntry = regexp.MustCompile(`^SHA(?:2-)?(?:256|512) ?\((.+)\) ?= ?(\S+)$`)
	escapes     = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r")
	escaper     = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)
)

// byteOrderMark is what editors of Windows put before UTF-8.
const byteOrderMark = "\ufeff"

// Lines parses a list. In a clear-signed one, what is not signed is not part of it.
func Lines(list string) []Line {
	var lines []Line
	list = strings.TrimPrefix(list, byteOrderMark)
	armour := armourOf(list)
	number := 0
	for text := range strings.Lines(list) {
		number++
		text = trimmed(text)
		if armour = armour.after(text); armour.holdsEntries() && text != "" {
			line := parse(strings.TrimPrefix(text, "- "))
			line.Number = number
			lines = append(lines, line)
		}
	}
	return lines
}

func parse(text string) Line {
	text, escaped := strings.CutPrefix(strings.TrimLeft(text, " \t"), `\`)
	var name, sum string
	if match := taggedEntry.FindStringSubmatch(text); match != nil {
		name, sum = match[1], match[2]
	} else if match := plainEntry.FindStringSubmatch(text); match != nil {
		name, sum = match[2], match[1]
	}
	if escaped {
		name = escapes.Replace(name)
	}
	line := Line{Name: strings.TrimPrefix(name, "./")}
	if digest.IsSHA256(sum) {
		line.Sums.SHA256 = strings.ToLower(sum)
	} else if digest.IsSHA512(sum) {
		line.Sums.SHA512 = strings.ToLower(sum)
	}
	return line
}

// Find returns the digests a list states for a file. Lines that are not entries are ignored.
func Find(list, name string) (Sums, error) {
	var found Sums
	listed := false
	for _, line := range Lines(list) {
		if line.Name != name {
			continue
		}
		listed = true
		if found.contradicts(line.Sums) {
			return Sums{}, fmt.Errorf("it has two different digests for %s", name)
		}
		found = found.with(line.Sums)
	}
	switch {
	case !listed:
		return Sums{}, fmt.Errorf("%w %s", ErrNotListed, name)
	case found == Sums{}:
		return Sums{}, fmt.Errorf("the entry of %s holds no SHA-256 and no SHA-512", name)
	}
	return found, nil
}

func (s Sums) contradicts(other Sums) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	return differ(s.SHA256, other.SHA256) || differ(s.SHA512, other.SHA512)
}

func (s Sums) with(other Sums) Sums {
	return Sums{SHA256: max(s.SHA256, other.SHA256), SHA512: max(s.SHA512, other.SHA512)}
}

// Format returns a list for sha256sum -c or sha512sum -c, sorted by name. digests maps file
// names to digests in hexadecimal.
func Format(digests map[string]string) []byte {
	var out []byte
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		escaped := escaper.Replace(name)
		if escaped != name {
			out = append(out, '\\')
		}
		out = fmt.Appendf(out, "%s  %s\n", digests[name], escaped)
	}
	return out
}
