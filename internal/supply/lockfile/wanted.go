package lockfile

import (
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// Wanted is what a template specifies about the digest of an input.
type Wanted struct {
	// Field and ChecksumField are the attribute names for messages.
	Field, ChecksumField string
	// Checksum is "" if the template does not set one; otherwise it has passed
	// fetch.CheckChecksum.
	Checksum string
	// Lock is the name of the lock file for messages.
	Lock string
	// AllowUnpinned accepts an input whose digest is unknown.
	AllowUnpinned bool
}

// Pin returns the input with the digest it must have: that of the template, else that in an
// OCI reference, else that of the lock file, else none, if that is allowed. If two of them
// differ, that is a mistake. The template may specify fetch.Unchecked instead of a digest.
func (w Wanted) Pin(input Input) (Input, error) {
	wanted := strings.ToLower(w.Checksum)
	if inReference := referenceDigest(input.Source); inReference != "" {
		if wanted != "" && wanted != inReference {
			return Input{}, fmt.Errorf("%s: %s differs from the digest in %s.source: remove one of them", w.ChecksumField, wanted, w.Field)
		}
		wanted = inReference
	}
	switch {
	case wanted == "" && input.Digest == "" && !w.AllowUnpinned:
		return Input{}, fmt.Errorf("%s: %s is not pinned: run `make lock`, set the checksum, or set allow_unpinned = true",
			w.Field, sourceuri.Shown(input.Source))
	case wanted == "" || wanted == input.Digest:
		return input, nil
	case wanted != fetch.Unchecked && input.Digest != "":
		return Input{}, fmt.Errorf("%s: %s contradicts %s, which has %s for %s: correct one of them",
			w.ChecksumField, wanted, w.Lock, input.Digest, sourceuri.Shown(input.Source))
	}
	// The size in the lock file belongs to content with another digest, or none.
	input.Digest, input.Size = wanted, 0
	return input, nil
}

func referenceDigest(source string) string {
	if !isOCI(source) {
		return ""
	}
	_, digest, _ := strings.Cut(source, "@")
	return digest
}
