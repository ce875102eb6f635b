package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// sweep removes what killed runs left under names that no later run reuses: partial copies,
// as large as an image, and lists that were never put in place. It also removes the list
// before the current one, which is not removed earlier because a web server may still be
// reading it.
func (c *Catalog) sweep() error {
	inPlace := ""
	if target, err := os.Readlink(filepath.Join(c.dir, current)); err == nil {
		inPlace = filepath.Base(target)
	}
	for dir, superfluous := range map[string]func(string) bool{
		"":        isTemporary,
		imagesDir: func(name string) bool { return strings.HasSuffix(name, partial) },
		listsDir:  func(name string) bool { return name != inPlace && name != filepath.Base(current) },
	} {
		if _, err := c.removeFrom(dir, superfluous); err != nil {
			return fmt.Errorf("remove what an earlier run has left: %w", err)
		}
	}
	return nil
}

// temporaryPattern matches the names internal/atomicfile gives to files still being
// written.
var temporaryPattern = regexp.MustCompile(`^\.(` +
	strings.Join([]string{`appliances\.json`, `SHA256SUMS`, `SHA256SUMS\.minisig`, `nginx\.conf`, `app\.json`}, "|") + `)\.new-`)

func isTemporary(name string) bool { return temporaryPattern.MatchString(name) }

var imagePattern = regexp.MustCompile(`^` + appliance.Name + `-.+-[0-9a-f]{12}\.qcow2$`)

// removeUnlisted removes images and apps that no entry names: their entries left the list,
// in this run or in one that was killed before it could clean up. Files whose names are not
// of this package's form belong to others and stay.
func (c *Catalog) removeUnlisted() error {
	apps, appsErr := c.removeFrom(appsDir, func(name string) bool {
		return idPattern.MatchString(name) && !c.list.has(name)
	})
	images, imagesErr := c.removeFrom(imagesDir, func(name string) bool {
		return imagePattern.MatchString(name) && !c.list.mentions(name)
	})
	c.changed = c.changed || apps || images
	return errors.Join(appsErr, imagesErr)
}

// mentions reports whether any entry contains name, including entries this package cannot
// parse.
func (l list) mentions(name string) bool {
	for _, e := range l.entries {
		if bytes.Contains(e.raw, []byte(name)) {
			return true
		}
	}
	return false
}

// removeFrom removes what is superfluous in a directory of the catalog, and reports whether
// there was anything.
func (c *Catalog) removeFrom(dir string, superfluous func(name string) bool) (bool, error) {
	found, err := os.ReadDir(filepath.Join(c.dir, dir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	var errs []error
	removed := false
	for _, f := range found {
		if superfluous(f.Name()) {
			removed = true
			errs = append(errs, os.RemoveAll(filepath.Join(c.dir, dir, f.Name())))
		}
	}
	return removed, errors.Join(errs...)
}
