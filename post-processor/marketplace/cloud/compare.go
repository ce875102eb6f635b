package cloud

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// contentFor returns the expected attributes of the app. The MD5 in them is known only
// after the marketplace has imported the image.
func (p appPlan) contentFor(seen opennebula.App) opennebula.Template {
	content := slices.Clone(p.content)
	if p.kind == opennebula.AppImage && seen.MD5 != "" {
		i := slices.IndexFunc(content, func(a opennebula.Attribute) bool { return a.Name == "APPTEMPLATE64" })
		content[i].Value = encode(imageText(p.part, seen.MD5))
	}
	return content
}

// differing returns the attributes of want whose values in stored differ. Attributes that
// share a name are compared, and returned, together. Attributes only in stored do not
// count, because a cloud adds some of its own.
func differing(want, stored opennebula.Template) opennebula.Template {
	var differ opennebula.Template
	for _, name := range names(want) {
		wanted := named(want, name)
		if !slices.EqualFunc(wanted, named(stored, name), equal) {
			differ = append(differ, wanted...)
		}
	}
	return differ
}

// names returns the names of the attributes that are not empty, each once.
func names(t opennebula.Template) []string {
	var names []string
	for _, a := range t {
		if (a.Value != "" || a.Vector != nil) && !slices.Contains(names, a.Name) {
			names = append(names, a.Name)
		}
	}
	return names
}

func named(t opennebula.Template, name string) opennebula.Template {
	var found opennebula.Template
	for _, a := range t {
		if a.Name == name {
			found = append(found, a)
		}
	}
	return found
}

// equal ignores the order within a vector, which oned does not preserve.
func equal(a, b opennebula.Attribute) bool {
	if a.Name != b.Name || a.Value != b.Value || len(a.Vector) != len(b.Vector) {
		return false
	}
	byName := func(x, y opennebula.Attribute) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Value, y.Value))
	}
	return slices.EqualFunc(slices.SortedFunc(slices.Values(a.Vector), byName), slices.SortedFunc(slices.Values(b.Vector), byName), equal)
}

// proveBytes returns an error if the app's size or MD5 differs from the disk's.
func (a Appliance) proveBytes(p appPlan, seen opennebula.App, converts string) error {
	if p.kind != opennebula.AppImage {
		return nil
	}
	d := a.Disks[p.disk]
	var mistakes []error
	if seen.SizeMB != sizeMB(d) {
		mistakes = append(mistakes, fmt.Errorf("its disk has %d MB, that of the image %d", seen.SizeMB, sizeMB(d)))
	}
	// A datastore that converts images stores different bytes, which only the front-end
	// sees.
	if converts == "" && seen.Format == d.Manifest.Format && seen.MD5 != d.Manifest.MD5 {
		mistakes = append(mistakes, fmt.Errorf("its MD5 is %s, that of the image %s", seen.MD5, d.Manifest.MD5))
	}
	if len(mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("app %d (%s) does not hold what was published: %w", seen.ID, seen.Name, errors.Join(mistakes...))
}
