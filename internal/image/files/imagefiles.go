// Package files contains what the provisioner bakes into an image besides the payload: units,
// the context hook and the service accounts, and the list of what must not be in a finished
// image because it belongs to a single VM.
package files

import (
	"bytes"
	"embed"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"text/template"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

//go:embed files
var sources embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(sources, "files/*"))

// names are the values available to the templates.
var names = map[string]string{
	"AgentPath":         appliance.AgentPath,
	"LocalAIUnit":       appliance.LocalAIUnit,
	"NginxUnit":         appliance.NginxUnit,
	"ConfigureUnit":     appliance.ConfigureUnit,
	"BootstrapUnit":     appliance.BootstrapUnit,
	"ServiceUser":       appliance.ServiceUser,
	"LocalAIStateDir":   appliance.LocalAIStateDir,
	"CertbotEnvFile":    appliance.CertbotEnvFile,
	"StateDir":          appliance.StateDir,
	"LogDir":            path.Dir(appliance.LogFile),
	"ModelsDir":         appliance.ModelsDir,
	"ModelDiskLabel":    appliance.ModelDiskLabel,
	"GatewayUnit":       appliance.GatewayUnit,
	"GatewaySocketUnit": appliance.GatewaySocketUnit,
	"GatewaySocket":     appliance.GatewaySocket,
	"GatewayConfigFile": appliance.GatewayConfigFile,
	"GatewayUser":       appliance.GatewayUser,
	"GatewayState":      strings.TrimPrefix(appliance.GatewayStateDir, "/var/lib/"),
	"ProxyGroup":        appliance.ProxyGroup,
	"EngineKeyFile":     appliance.EngineKeyFile,
	"EngineKeyName":     path.Base(appliance.EngineKeyFile),
	"NginxOpenFiles":    strconv.Itoa(appliance.NginxOpenFiles),
}

// SysusersFile declares the service account; systemd-sysusers creates it.
const SysusersFile = "/usr/lib/sysusers.d/slm-copilot.conf"

// File is one file of the image, owned by root.
type File struct {
	Path    string
	Mode    fs.FileMode
	Content []byte
}

// Files returns the files to install, the account first, because later steps need it.
func Files() []File {
	return []File{
		{SysusersFile, 0o644, render("sysusers.conf")},
		{appliance.UnitDir + "/" + appliance.ConfigureUnit, 0o644, render("configure.service")},
		{appliance.UnitDir + "/" + appliance.BootstrapUnit, 0o644, render("bootstrap.service")},
		{appliance.UnitDir + "/" + appliance.BenchmarkUnit, 0o644, render("benchmark.service")},
		{appliance.UnitDir + "/" + appliance.GatewayUnit, 0o644, render("gateway.service")},
		{appliance.UnitDir + "/" + appliance.GatewaySocketUnit, 0o644, render("gateway.socket")},
		{appliance.UnitDir + "/" + appliance.WatchUnit, 0o644, render("watch.service")},
		{appliance.UnitDir + "/" + appliance.CertificateUnit, 0o644, render("certificate.service")},
		{appliance.UnitDir + "/" + appliance.CertificateTimer, 0o644, render("certificate.timer")},
		{appliance.UnitDir + "/" + appliance.NginxUnit + ".d/slm-copilot-limits.conf", 0o644, render("nginx.conf")},
		{appliance.UnitDir + "/certbot.service.d/slm-copilot-acme.conf", 0o644, render("certbot.conf")},
		{appliance.ContextHook, 0o755, render("context-hook.sh")},
	}
}

// ModelMountUnit mounts the model disk; systemd requires the unit name to match the mount
// point, appliance.ModelsDir.
const ModelMountUnit = `opt-local\x2dai-models.mount`

// ModelDiskFiles returns the additional files to install if the weights are on a disk of their
// own.
func ModelDiskFiles() []File {
	return []File{
		{appliance.UnitDir + "/" + ModelMountUnit, 0o644, render("model-disk.mount")},
		{appliance.UnitDir + "/" + appliance.LocalAIUnit + ".d/10-" + appliance.Name + "-model-disk.conf", 0o644, render("model-disk.conf")},
	}
}

// Units returns the units to enable in an image. The agent renders LocalAI's own unit when it
// first applies a configuration, so enable them after that.
func Units() []string {
	return []string{
		appliance.LocalAIUnit, appliance.NginxUnit,
		appliance.ConfigureUnit, appliance.BootstrapUnit, appliance.WatchUnit, appliance.GatewaySocketUnit,
		appliance.CertificateTimer,
	}
}

// EnabledLink returns the path of the link that has systemd start a unit of Units at boot.
func EnabledLink(unit string) string {
	target := "multi-user.target"
	switch path.Ext(unit) {
	case ".timer":
		target = "timers.target"
	case ".socket":
		target = "sockets.target"
	}
	return path.Join(appliance.UnitDir, target+".wants", unit)
}

// PerVMState returns the files and directories that a VM creates for itself: keys, passwords,
// certificates, rendered configuration, state and logs. None of them may be in a finished
// image; the agent creates them again at the first boot. appliance.StatusFile is not among
// them: an image ships with appliance.InstallSuccess.
func PerVMState() []string {
	return []string{
		appliance.NginxEnabled,
		appliance.ConfigDir,
		appliance.StateDir,
		appliance.WebRoot,
		// Not the whole directory of certbot: its package installs settings there.
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

// render panics on a mistake in a template: its only input is covered by the tests.
func render(name string) []byte {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, names); err != nil {
		panic(err)
	}
	return out.Bytes()
}
