package app

import (
	"cmp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/catalogue"
)

// component is a part of the appliance whose licence users ask about.
type component struct {
	name, purpose string
	// license is an SPDX expression.
	license string
}

// components are in every image, and are listed after the model. The licences are those
// stated in the projects' own repositories.
var components = []component{
	{"LocalAI", "API and engine", "MIT"},
	{"llama.cpp", "inference", "MIT"},
	{"nginx", "TLS and access", "BSD-2-Clause"},
	{"certbot", "certificates of public host names", "Apache-2.0"},
	{"SLM-Copilot", "set-up and supervision", "Apache-2.0"},
}

// model is what the description says about the weights.
type model struct {
	name, license string
	// maker completes "The model is made by"; empty if unknown.
	maker string
	// european is true if the maker is.
	european bool
}

// modelOf returns what is known about the model in an image; the zero value if its manifest
// does not identify it. A claim about who made the weights must not depend on a name, which
// anybody can choose.
func modelOf(m manifest.Manifest) model {
	if known, found := catalogue.BySHA256(m.ModelSHA256); found {
		return listed(known)
	}
	return model{name: cmp.Or(m.ModelName, m.ModelID), license: m.ModelLicense}
}

func listed(m catalogue.Model) model {
	return model{name: m.Name, license: m.License, maker: m.Maker, european: m.European}
}

// describe writes the description of the app in Markdown.
func describe(m model) string {
	paragraphs := []string{
		"A private AI coding copilot with an OpenAI-compatible API, on CPU alone: no GPU is needed.",
		"Point Cline, Continue, aider, OpenCode, a JetBrains IDE or an OpenAI SDK at\n" +
			"`https://<address of the VM>/v1`. The user name is `" + appliance.APIUser + "`; the password, and how to\n" +
			"trust the certificate, are in `" + appliance.ReportFile + "` inside the VM.",
		"The cloud needs OneGate (`ONEGATE_ENDPOINT` in its `oned.conf`): without it OpenNebula refuses to\n" +
			"instantiate the template, unless `TOKEN` and `REPORT_READY` are taken out of its `CONTEXT`.",
		sovereignty(m),
		"What is inside, and under which licence:",
		licenses(m),
		"The image holds a list of everything in it: `" + appliance.BakedSBOM + "` (SPDX).",
	}
	return strings.Join(paragraphs, "\n\n")
}

// Unverified adds to a description that nothing proves that the image works.
func Unverified(description string) string {
	return description + "\n\nThis image was published without a test: nobody has proven that it boots and answers."
}

func sovereignty(m model) string {
	text := "It runs on your own infrastructure. Model, engine and API are in the image: they work without the\n" +
		"internet, and no code and no prompt is sent to anyone else."
	switch {
	case m.european:
		text += " The model is made by " + m.maker + ",\n" +
			"OpenNebula by OpenNebula Systems in Spain: a copilot under European control, from the cloud to the\n" +
			"weights."
	case m.maker != "":
		text += " The model is made by\n" + m.maker + "."
	}
	return text
}

func licenses(m model) string {
	model := component{cmp.Or(m.name, "the model"), "weights", cmp.Or(m.license, "licence not stated")}
	var lines []string
	for _, c := range append([]component{model}, components...) {
		lines = append(lines, "- "+c.name+" ("+c.purpose+"): "+c.license)
	}
	return strings.Join(lines, "\n")
}
