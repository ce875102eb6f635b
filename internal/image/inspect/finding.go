package inspect

import (
	"fmt"
	"path/filepath"
	"strings"
)

// finding is one thing that makes an image unfit to be published.
type finding struct {
	// paths are paths in the image; several, if all have the same problem.
	paths []string
	// what says what is wrong, remedy how to fix it.
	what, remedy string
}

// mostPaths is how many paths of one finding are listed.
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
