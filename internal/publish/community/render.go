package community

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").
	Funcs(template.FuncMap{"quote": quote, "bytes": progress.Bytes, "code": code}).
	ParseFS(templateFiles, "templates/*.tmpl"))

// quote returns a YAML scalar, which is also a Ruby string unless it contains a backslash.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// code formats a table cell as code; an empty text stays empty.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// param is a context variable that the tests set when they create the VM.
type param struct{ Name, Value string }

// params are the variables that have a default, with that default: so the tests prove that the
// appliance accepts what a cloud sends. The repository's tests prepend ONEAPP_ to the names.
func params(models []string) []param {
	var found []param
	for _, v := range appliance.VariablesFor(models) {
		if v.Default != "" {
			found = append(found, param{strings.TrimPrefix(v.Name, "ONEAPP_"), v.Default})
		}
	}
	return found
}

// checkParams finds values that would not arrive intact: all of them are passed as one
// comma-separated text, through a shell.
func checkParams(models []string) error {
	var mistakes []error
	for _, p := range params(models) {
		if strings.ContainsAny(p.Value, ",\"'\\$`") {
			mistakes = append(mistakes, fmt.Errorf("the default of %s holds a comma, a quote or one of \\ $ `: the tests of the community's repository cannot pass it on", p.Name))
		}
	}
	return errors.Join(mistakes...)
}

var notOfABase = regexp.MustCompile(`[^a-z0-9]`)

// base is the operating system in the repository's spelling: "ubuntu2404".
func (p publication) base() string {
	return notOfABase.ReplaceAllString(strings.ToLower(p.manifest.OSID+p.manifest.OSRelease), "")
}

type attribute struct{ Name, Value string }

// testMachine returns the attributes our own VM template asks for, which the test cloud's
// template should have too.
func (p publication) testMachine() (attributes []attribute, vectors map[string][]attribute) {
	t := p.app.VMTemplate(p.manifest.OSArch)
	for _, name := range []string{"CPU", "VCPU", "MEMORY"} {
		attributes = append(attributes, attribute{name, t.Attributes[name]})
	}
	vectors = map[string][]attribute{}
	for _, name := range []string{"CPU_MODEL", "GRAPHICS", "NIC_DEFAULT"} {
		for _, key := range slices.Sorted(maps.Keys(t.Vectors[name][0])) {
			vectors[name] = append(vectors[name], attribute{key, t.Vectors[name][0][key]})
		}
	}
	return attributes, vectors
}

func (p publication) render(name string) ([]byte, error) {
	attributes, vectors := p.testMachine()
	var buffer bytes.Buffer
	err := templates.ExecuteTemplate(&buffer, name+".tmpl", map[string]any{
		"Name": appliance.Name, "Title": p.app.Name, "Version": p.version(), "Date": p.created().Format("2006-01-02"),
		"Description": lines(p.app.Description).Value, "ShortDescription": p.app.ShortDescription,
		"CPU": p.app.CPU, "VCPU": p.app.VCPU, "MemoryMiB": p.app.MemoryMiB,
		"Image": p.manifest, "ImageURL": p.imageURL, "Base": p.base(), "Arch": p.manifest.OSArch,
		"Spec": specFile, "Params": params(p.app.Models), "Variables": appliance.VariablesFor(p.app.Models),
		"Attributes": attributes, "Vectors": vectors,
		"ReadyPhrase": appliance.ReadyPhrase, "MOTDFile": appliance.MOTDFile, "StatusFile": appliance.StatusFile,
		"BootstrapSuccess": appliance.BootstrapSuccess, "BootstrapFailure": appliance.BootstrapFailure, "ConfigureFailure": appliance.ConfigureFailure,
		"PathHealth": appliance.PathHealth, "PathModels": appliance.PathModels, "APIUser": appliance.APIUser,
		"PasswordFile": appliance.PasswordFile, "CACert": appliance.CACert, "ReportFile": appliance.ReportFile,
		"AgentPath": appliance.AgentPath,
	})
	if err != nil {
		return nil, fmt.Errorf("write %s of the community's repository: %w", name, err)
	}
	return buffer.Bytes(), nil
}
