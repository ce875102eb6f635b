package provisioner

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/licenses"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// maxLicense is in bytes; the longest licences have some ten thousand.
const maxLicense = 1 << 20

// readLicense finds the text of the model's licence: in the file that the template names, or among
// those that are the same for every work.
func (b *bake) readLicense() error {
	model := b.config.Model
	if model.LicenseFile != "" {
		text, err := guardedfile.Read(model.LicenseFile, maxLicense)
		if err != nil {
			return fmt.Errorf("model.license_file: %w", err)
		}
		if !utf8.Valid(text) || strings.TrimSpace(string(text)) == "" {
			return fmt.Errorf("model.license_file: %s is not a text in UTF-8", model.LicenseFile)
		}
		b.payload.license = string(text)
		return nil
	}
	text, unknown := licenses.Texts(model.License)
	b.payload.license = text
	switch {
	case model.License == "":
		b.say("WARNING: model.license is not set: nobody learns from the image what the model may be used for")
	case len(unknown) > 0:
		b.say(fmt.Sprintf("WARNING: model.license: the image will not have the text of %s, which most licences want to come with every copy: "+
			"set model.license_file to a file with it, from where the model is", strings.Join(unknown, ", ")))
	}
	return nil
}

// works returns everything in the image that has a licence, besides Debian packages.
func (b *bake) works() []licenses.Work {
	works := licenses.Agent(appliance.Name+"-agent", appliance.Version)
	for _, input := range b.payload.inputs.Inputs {
		switch input.Kind {
		case lockfile.KindLocalAI:
			works = append(works, licenses.LocalAI(input.Version, input.License))
		case lockfile.KindBackend:
			works = append(works, licenses.Backend(input.Version, input.License))
		case lockfile.KindModel:
			works = append(works, licenses.Work{Name: input.Name, Version: input.Version, License: input.License, Text: b.payload.license})
		case lockfile.KindContextPackage:
			text, _ := licenses.Texts(input.License)
			works = append(works, licenses.Work{Name: input.Name, Version: input.Version, License: input.License, Text: text})
		}
	}
	return works
}
