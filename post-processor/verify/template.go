package verify

import (
	"path/filepath"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/shell"
)

// templateSuffix is the suffix of a Packer template that verifies one image again.
const templateSuffix = ".verify.pkr.hcl"

// writeTemplate writes the template next to the kept image, and returns the command that
// runs it, formatted as the end of a message. An image with a model disk gets none, because
// the artifact of artifice cannot tell the two disks apart.
func (p *PostProcessor) writeTemplate(t *trial) (string, error) {
	if t.modelImage != "" {
		return "", nil
	}
	path := beside(t.kept, templateSuffix)
	if err := atomicfile.Write(path, p.config.template(t.kept), 0o644, nil); err != nil {
		return "", err
	}
	return "\nTo verify it again: packer build " + shell.Quote(path), nil
}

// template returns a template that verifies an existing image with the same settings.
func (c *Config) template(image string) []byte {
	file := hclwrite.NewEmptyFile()
	source := file.Body().AppendNewBlock("source", []string{"null", "image"})
	source.Body().SetAttributeValue("communicator", cty.StringVal("none"))
	build := file.Body().AppendNewBlock("build", nil).Body()
	build.SetAttributeValue("sources", cty.ListVal([]cty.Value{cty.StringVal("source.null.image")}))
	sequence := build.AppendNewBlock("post-processors", nil).Body()
	artifice := sequence.AppendNewBlock("post-processor", []string{"artifice"}).Body()
	// Packer shows the name of each post-processor, and nothing without one.
	artifice.SetAttributeValue("name", cty.StringVal("image"))
	artifice.SetAttributeValue("files", cty.ListVal([]cty.Value{cty.StringVal(filepath.Clean(image))}))
	verify := sequence.AppendNewBlock("post-processor", []string{"slm-copilot-verify"}).Body()
	verify.SetAttributeValue("name", cty.StringVal("verify"))
	if c.ModelID != "" {
		verify.SetAttributeValue("model_id", cty.StringVal(c.ModelID))
	}
	if c.Memory != 0 {
		verify.SetAttributeValue("memory", cty.NumberIntVal(int64(c.Memory)))
	}
	verify.SetAttributeValue("cpus", cty.NumberIntVal(int64(c.CPUs)))
	verify.SetAttributeValue("accelerator", cty.StringVal(c.Accelerator))
	verify.SetAttributeValue("firmware", cty.StringVal(c.Firmware))
	verify.SetAttributeValue("boot_timeout", cty.StringVal(c.BootTimeout))
	verify.SetAttributeValue("reboot", cty.BoolVal(!c.Reboot.False()))
	if context := c.publicContext(); len(context) > 0 {
		verify.SetAttributeValue("context", cty.MapVal(context))
	}
	return file.Bytes()
}

// publicContext omits variables that are secret. A password is generated anyway.
func (c *Config) publicContext() map[string]cty.Value {
	public := map[string]cty.Value{}
	for _, variable := range appliance.Variables() {
		if value, given := c.Context[variable.Name]; given && !variable.Secret {
			public[variable.Name] = cty.StringVal(value)
		}
	}
	return public
}
