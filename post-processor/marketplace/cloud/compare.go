package cloud

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// content is what the app should hold, given what its marketplace has made of it.
func (p appPlan) contentFor(seen opennebula.App) opennebula.Template {
	content := slices.Clone(p.content)
	if p.kind == opennebula.AppImage && seen.MD5 != "" {
		i := slices.IndexFunc(content, func(a opennebula.Attribute) bool { return a.Name == "APPTEMPLATE64" })
		content[i].Value = encode(imageText(p.part, seen.MD5))
	}
	return content
}

// differing returns those attributes of want that have another value in stored, or none;
// of attributes with one name, all. What stored holds besides does not matter: a cloud
// adds attributes of its own.
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

// names are those of the attributes that hold something, each once.
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

// equal ignores the order within a vector, which oned does not keep.
func equal(a, b opennebula.Attribute) bool {
	if a.Name != b.Name || a.Value != b.Value || len(a.Vector) != len(b.Vector) {
		return false
	}
	byName := func(x, y opennebula.Attribute) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Value, y.Value))
	}
	return slices.EqualFunc(slices.SortedFunc(slices.Values(a.Vector), byName), slices.SortedFunc(slices.Values(b.Vector), byName), equal)
}

// proveBytes says why the bytes of an app are not those of the disk.
func (a Appliance) proveBytes(p appPlan, seen opennebula.App, converts string) error {
	if p.kind != opennebula.AppImage {
		return nil
	}
	d := a.Disks[p.disk]
	var mistakes []error
	if seen.SizeMB != sizeMB(d) {
		mistakes = append(mistakes, fmt.Errorf("its disk has %d MB, that of the image %d", seen.SizeMB, sizeMB(d)))
	}
	// A datastore that converts stores other bytes, which the front-end alone has seen.
	if converts == "" && seen.Format == d.Manifest.Format && seen.MD5 != d.Manifest.MD5 {
		mistakes = append(mistakes, fmt.Errorf("its MD5 is %s, that of the image %s", seen.MD5, d.Manifest.MD5))
	}
	if len(mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("app %d (%s) does not hold what was published: %w", seen.ID, seen.Name, errors.Join(mistakes...))
}
