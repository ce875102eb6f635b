package app

import (
	"cmp"
	"fmt"
	"slices"
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

// modelText is what the description says about a model.
type modelText struct {
	id, name, license string
	// maker completes "The model is made by"; empty if unknown.
	maker string
	// european is true if the maker is.
	european bool
	// memoryMiB is what it wants, 0 if unknown.
	memoryMiB int
}

// modelsOf returns what is known about the models in an image, the default model first.
func modelsOf(m manifest.Manifest) []modelText {
	models := []modelText{textOf(m.Model)}
	for _, other := range m.OtherModels {
		models = append(models, textOf(other))
	}
	return models
}

// textOf returns what is known about a model; the zero value if the manifest does not identify it. A
// claim about who made the weights must not depend on a name, which anybody can choose.
func textOf(m manifest.Model) modelText {
	text := modelText{name: cmp.Or(m.ModelName, m.ModelID), license: m.ModelLicense}
	if known, found := catalogue.BySHA256(m.ModelSHA256); found {
		text = listed(known)
	}
	text.id, text.memoryMiB = m.ModelID, m.MemoryMiB
	return text
}

func listed(m catalogue.Model) modelText {
	return modelText{name: m.Name, license: m.License, maker: m.Maker, european: m.European}
}

// describe writes the description of the app in Markdown.
func describe(models []modelText) string {
	paragraphs := []string{
		"A private AI coding copilot with an OpenAI-compatible API, on CPU alone: no GPU is needed.",
		"Point Cline, Continue, aider, OpenCode, a JetBrains IDE or an OpenAI SDK at\n" +
			"`https://<address of the VM>/v1`. The user name is `" + appliance.APIUser + "`; the password, and how to\n" +
			"trust the certificate, are in `" + appliance.ReportFile + "` inside the VM.",
		"The cloud needs OneGate (`ONEGATE_ENDPOINT` in its `oned.conf`): without it OpenNebula refuses to\n" +
			"instantiate the template, unless `TOKEN` and `REPORT_READY` are taken out of its `CONTEXT`.",
		sovereignty(models),
	}
	if len(models) > 1 {
		paragraphs = append(paragraphs,
			"It has several models and serves one of them, which is chosen when it is instantiated:",
			choice(models),
			"A virtual machine gets the memory that the first one wants, unless you choose otherwise.")
	}
	paragraphs = append(paragraphs,
		"What is inside, and under which licence:",
		licenses(models),
		"The image holds a list of everything in it: `"+appliance.BakedSBOM+"` (SPDX).")
	return strings.Join(paragraphs, "\n\n")
}

// choice lists the models to choose from.
func choice(models []modelText) string {
	var lines []string
	for i, m := range models {
		line := "- `" + m.id + "`"
		if i == 0 {
			line += " by default"
		}
		line += ": " + m.name
		if m.maker != "" {
			line += ", made by " + m.maker
		}
		if m.memoryMiB > 0 {
			line += fmt.Sprintf("; wants %d GiB of memory", gibibytes(m.memoryMiB))
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// Unverified adds to a description that nothing proves that the image works.
func Unverified(description string) string {
	return description + "\n\nThis image was published without a test: nobody has proven that it boots and answers."
}

func sovereignty(models []modelText) string {
	m := models[0]
	text := "It runs on your own infrastructure. Model, engine and API are in the image: they work without the\n" +
		"internet, and no code and no prompt is sent to anyone else."
	switch {
	case len(models) > 1:
		if !slices.ContainsFunc(models, func(m modelText) bool { return !m.european }) {
			text += " All its models are made in Europe,\n" +
				"OpenNebula by OpenNebula Systems in Spain: a copilot under European control, from the cloud to the\n" +
				"weights."
		}
	case m.european:
		text += " The model is made by " + m.maker + ",\n" +
			"OpenNebula by OpenNebula Systems in Spain: a copilot under European control, from the cloud to the\n" +
			"weights."
	case m.maker != "":
		text += " The model is made by\n" + m.maker + "."
	}
	return text
}

func licenses(models []modelText) string {
	var all []component
	for _, m := range models {
		all = append(all, component{cmp.Or(m.name, "the model"), "weights", cmp.Or(m.license, "licence not stated")})
	}
	var lines []string
	for _, c := range append(all, components...) {
		lines = append(lines, "- "+c.name+" ("+c.purpose+"): "+c.license)
	}
	return strings.Join(lines, "\n")
}
