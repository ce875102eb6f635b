// Package provenance records how an image was built: an in-toto Statement v1 that contains
// SLSA provenance v1, in JSON. It is not signed. Equal builds give equal bytes.
package provenance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// Build is one run of the Packer builder.
type Build struct {
	// Subjects are the finished files.
	Subjects []Subject
	// Inputs are what the files were made of.
	Inputs []lockfile.Input
	// BuilderVersion is the version of the plugin, ID identifies this run.
	BuilderVersion, ID string
	// Started and Finished are written in UTC, to the second.
	Started, Finished time.Time
	// Parameters are the settings of the template that determine the result, at least one.
	// None may be a secret: user, password and query are removed from a URL, and the directory
	// from an absolute path, but no other value is changed.
	Parameters map[string]string
}

// Subject is one finished file.
type Subject struct {
	// Name is the file name without a directory; SHA256 is 64 lower-case hexadecimal digits.
	Name, SHA256 string
}

// Encode returns the statement, or an error that lists everything that is missing.
func (b Build) Encode() ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("write the provenance: %w", err)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	// A package URL may contain "&".
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(b.statement()); err != nil {
		return nil, fmt.Errorf("write the provenance: %w", err)
	}
	return text.Bytes(), nil
}

var (
	sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

func (b Build) check() error {
	var mistakes []error
	expect := func(ok bool, format string, arguments ...any) {
		if !ok {
			mistakes = append(mistakes, fmt.Errorf(format, arguments...))
		}
	}
	expect(len(b.Subjects) > 0, "it names no finished file")
	for _, s := range b.Subjects {
		expect(s.Name != "", "a finished file has no name")
		expect(sha256Pattern.MatchString(s.SHA256), "%s: %q is not a SHA-256 (64 lower-case hexadecimal digits)", s.Name, s.SHA256)
	}
	for _, i := range b.Inputs {
		expect(i.Name != "" && i.Kind != "", "an input has no name or kind")
		expect(i.Digest == "" || digestPattern.MatchString(i.Digest), "%s: %q is not a digest such as sha256:<64 hexadecimal digits>", i.Name, i.Digest)
	}
	expect(b.BuilderVersion != "", "the version of the builder is missing")
	expect(b.ID != "", "the id of the build is missing")
	expect(!b.Started.IsZero() && !b.Finished.Before(b.Started), "it was finished before it was started, or the time is missing")
	expect(len(b.Parameters) > 0, "it names no parameter")
	return errors.Join(mistakes...)
}
