package cloud

import (
	"maps"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// templateOf converts a VM template to attributes, sorted by name.
func templateOf(t app.VMTemplate) opennebula.Template {
	content := attributesOf(t.Attributes)
	for _, name := range slices.Sorted(maps.Keys(t.Vectors)) {
		for _, vector := range t.Vectors[name] {
			content = append(content, opennebula.Attribute{Name: name, Vector: attributesOf(vector)})
		}
	}
	return content
}

func attributesOf(values map[string]string) []opennebula.Attribute {
	var attributes []opennebula.Attribute
	for _, name := range slices.Sorted(maps.Keys(values)) {
		attributes = append(attributes, opennebula.Attribute{Name: name, Value: values[name]})
	}
	return attributes
}
