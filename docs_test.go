package main

import (
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/builder"
	"github.com/slm-copilot/packer-plugin-slm-copilot/post-processor/marketplace"
	"github.com/slm-copilot/packer-plugin-slm-copilot/post-processor/verify"
	"github.com/slm-copilot/packer-plugin-slm-copilot/provisioner"
)

// The documentation must name every attribute of a template in full.
func TestDocumentationNamesEveryAttribute(t *testing.T) {
	for page, component := range map[string]interface{ ConfigSpec() hcldec.ObjectSpec }{
		"docs/builder.md":     new(builder.Builder),
		"docs/provisioner.md": new(provisioner.Provisioner),
		"docs/verify.md":      new(verify.PostProcessor),
		"docs/marketplace.md": new(marketplace.PostProcessor),
	} {
		t.Run(page, func(t *testing.T) {
			text, err := os.ReadFile(page)
			require.NoError(t, err)
			names := attributes(component.ConfigSpec())
			require.NotEmpty(t, names)
			for _, name := range names {
				assert.Contains(t, string(text), "`"+name+"`")
			}
		})
	}
}

// attributes lists attributes as "name", or "block.name" for those in a block, without the
// fields that Packer adds to every component.
func attributes(spec hcldec.ObjectSpec) []string {
	var names []string
	for name, field := range spec {
		if strings.HasPrefix(name, "packer_") {
			continue
		}
		block, nested := field.(*hcldec.BlockSpec)
		if !nested {
			names = append(names, name)
			continue
		}
		for _, inner := range attributes(block.Nested.(hcldec.ObjectSpec)) {
			names = append(names, name+"."+inner)
		}
	}
	return names
}
