package lockfile

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// header is the only comment in a lock file: the file is generated, and comments that people
// write between the blocks are not kept.
const header = "# Pins of what an appliance is made of. `make lock` fills in what is missing and writes\n" +
	"# this file anew, without other comments; commit it.\n"

// Encode returns the content of the file, always the same for the same inputs.
func (l Lock) Encode() []byte {
	inputs := Lock{slices.Clone(l.Inputs)}
	inputs.sort()
	file := hclwrite.NewEmptyFile()
	for _, input := range inputs.Inputs {
		file.Body().AppendNewline()
		input.encode(file.Body().AppendNewBlock(input.Kind, []string{input.Name}).Body())
	}
	return append([]byte(header), hclwrite.Format(file.Bytes())...)
}

func (i Input) encode(body *hclwrite.Body) {
	text := func(name, value string) {
		if value != "" {
			body.SetAttributeValue(name, cty.StringVal(value))
		}
	}
	text("version", i.Version)
	text("arch", i.Arch)
	text("source", i.Source)
	text("license", i.License)
	if i.Size > 0 {
		body.SetAttributeValue("size", cty.NumberIntVal(i.Size))
	}
	text("digest", i.Digest)
}
