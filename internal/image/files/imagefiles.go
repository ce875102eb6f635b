// Package files holds what the provisioner bakes into an image besides the payload:
// units, the context hook and the service account, and the list of what must not be in
// a finished image because it belongs to one virtual machine.
package files

import (
	"bytes"
	"embed"
	"io/fs"
	"path"
	"text/template"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

//go:embed files
var sources embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(sources, "files/*"))

// names are what the templates may mention.
var names = map[string]string{
	"AgentPath":       appliance.AgentPath,
	"LocalAIUnit":     appliance.LocalAIUnit,
	"NginxUnit":       appliance.NginxUnit,
	"ConfigureUnit":   appliance.ConfigureUnit,
	"BootstrapUnit":   appliance.BootstrapUnit,
	"ServiceUser":     appliance.ServiceUser,
	"LocalAIStateDir": appliance.LocalAIStateDir,
	"CertbotEnvFile":  appliance.CertbotEnvFile,
	"StateDir":        appliance.StateDir,
	"LogDir":          path.Dir(appliance.LogFile),
	"ModelsDir":       appliance.ModelsDir,
	"ModelDiskLabel":  appliance.ModelDiskLabel,
}

// SysusersFile declares the service account; systemd-sysusers makes it.
const SysusersFile = "/usr/lib/sysusers.d/slm-copilot.conf"

// File is one file of the image, owned by root.
type File struct {
	Path    string
	Mode    fs.FileMode
	Content []byte
}

// Files returns the files to install, the account first, because later steps need
// it.
func Files() []File {
	return []File{
		{SysusersFile, 0o644, render("sysusers.conf")},
		{appliance.UnitDir + "/" + appliance.ConfigureUnit, 0o644, render("configure.service")},
		{appliance.UnitDir + "/" + appliance.BootstrapUnit, 0o644, render("bootstrap.service")},
		{appliance.UnitDir + "/" + appliance.WatchUnit, 0o644, render("watch.service")},
		{appliance.UnitDir + "/" + appliance.CertificateUnit, 0o644, render("certificate.service")},
		{appliance.UnitDir + "/" + appliance.CertificateTimer, 0o644, render("certificate.timer")},
		{appliance.UnitDir + "/certbot.service.d/slm-copilot-acme.conf", 0o644, render("certbot.conf")},
		{appliance.ContextHook, 0o755, render("context-hook.sh")},
	}
}

// ModelMountUnit mounts the disk of the model; systemd wants the name to be that of the
// place, appliance.ModelsDir.
const ModelMountUnit = `opt-local\x2dai-models.mount`

// ModelDiskFiles are installed besides, where the weights are on a disk of their own.
func ModelDiskFiles() []File {
	return []File{
		{appliance.UnitDir + "/" + ModelMountUnit, 0o644, render("model-disk.mount")},
		{appliance.UnitDir + "/" + appliance.LocalAIUnit + ".d/10-" + appliance.Name + "-model-disk.conf", 0o644, render("model-disk.conf")},
	}
}

// Units returns the units to enable in an image. The agent renders LocalAI's own unit when
// it is configured for the first time, so enable them after that.
func Units() []string {
	return []string{
		appliance.LocalAIUnit, appliance.NginxUnit,
		appliance.ConfigureUnit, appliance.BootstrapUnit, appliance.WatchUnit,
		appliance.CertificateTimer,
	}
}

// PerVMState returns the paths, directories among them, that one virtual machine writes
// for itself: keys, passwords, certificates, rendered configuration, state and logs. None
// of them may be in a finished image; the agent makes them anew at the first boot.
// appliance.StatusFile is not among them: an image ships with appliance.InstallSuccess.
func PerVMState() []string {
	return []string{
		appliance.NginxEnabled,
		appliance.ConfigDir,
		appliance.StateDir,
		appliance.WebRoot,
		// Not all of certbot's own directory: the package has settings in there.
		appliance.ACMEDir + "/accounts",
		appliance.ACMEDir + "/archive",
		appliance.ACMEDir + "/csr",
		appliance.ACMEDir + "/keys",
		appliance.ACMEDir + "/live",
		appliance.ACMEDir + "/renewal",
		appliance.ACMEWorkDir,
		appliance.ACMELogsDir,
		appliance.ReportFile,
		appliance.LogFile,
		appliance.MOTDFile,
	}
}

// render panics on a mistake in a template: it has no input the tests have not seen.
func render(name string) []byte {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, names); err != nil {
		panic(err)
	}
	return out.Bytes()
}
