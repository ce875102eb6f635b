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

// readLicense finds the text of a model's licence: in the file that the template names, or among
// those that are the same for every work.
func (b *bake) readLicense(m modelBlock) (string, error) {
	if m.LicenseFile != "" {
		text, err := guardedfile.Read(m.LicenseFile, maxLicense)
		if err != nil {
			return "", fmt.Errorf("%s.license_file: %w", m.field, err)
		}
		if !utf8.Valid(text) || strings.TrimSpace(string(text)) == "" {
			return "", fmt.Errorf("%s.license_file: %s is not a text in UTF-8", m.field, m.LicenseFile)
		}
		return string(text), nil
	}
	text, unknown := licenses.Texts(m.License)
	switch {
	case m.License == "":
		b.say(fmt.Sprintf("WARNING: %s.license is not set: nobody learns from the image what the model may be used for", m.field))
	case len(unknown) > 0:
		b.say(fmt.Sprintf("WARNING: %[1]s.license: the image will not have the text of %[2]s, which most licences want to come with every copy: "+
			"set %[1]s.license_file to a file with it, from where the model is", m.field, strings.Join(unknown, ", ")))
	}
	return text, nil
}

// works returns everything in the image that has a licence, besides Debian packages.
func (b *bake) works() []licenses.Work {
	works := licenses.Agent(appliance.Name+"-agent", appliance.Version)
	ofModels := map[string]string{}
	for _, m := range b.payload.models {
		ofModels[m.ID] = m.licenseText
	}
	for _, input := range b.payload.inputs.Inputs {
		switch input.Kind {
		case lockfile.KindLocalAI:
			works = append(works, licenses.LocalAI(input.Version, input.License))
		case lockfile.KindBackend:
			works = append(works, licenses.Backend(input.Version, input.License))
		case lockfile.KindModel:
			works = append(works, licenses.Work{Name: input.Name, Version: input.Version, License: input.License, Text: ofModels[input.Name]})
		case lockfile.KindContextPackage:
			text, _ := licenses.Texts(input.License)
			works = append(works, licenses.Work{Name: input.Name, Version: input.Version, License: input.License, Text: text})
		}
	}
	return works
}
