package inspect

import (
	"fmt"
	"path/filepath"
	"strings"
)

// finding is one thing that makes an image unfit to be published.
type finding struct {
	// paths are in the image; several, if the same is true of each.
	paths []string
	// what is wrong, and what to do about it.
	what, remedy string
}

// mostPaths of one finding are named.
const mostPaths = 10

func (f finding) String() string {
	named := strings.Join(f.paths[:min(len(f.paths), mostPaths)], ", ")
	if more := len(f.paths) - mostPaths; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%s: %s; %s", named, f.what, f.remedy)
}

func verdict(qcow2 string, findings []finding) error {
	if len(findings) == 0 {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s is not fit to be published:", filepath.Base(qcow2))
	for _, f := range findings {
		fmt.Fprintf(&text, "\n  %s", f)
	}
	return fmt.Errorf("%s", text.String())
}
