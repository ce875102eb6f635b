package inspect

import (
	"encoding/json"
	"path"
	"regexp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/files"
)

// inspectTree checks what can be seen from names and small files.
func inspectTree(t tree) []finding {
	findings := t.broken(rules())
	for _, check := range []func(tree) []finding{
		inspectIdentity, inspectAccounts, inspectKeys, inspectAppliance, inspectUnits, inspectBill,
	} {
		findings = append(findings, check(t)...)
	}
	return findings
}

// inspectIdentity finds the machine id of the build machine. The file may exist: systemd
// writes the id of a new machine into it.
func inspectIdentity(t tree) []finding {
	var findings []finding
	for _, file := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if id := strings.TrimSpace(t.content[file]); id != "" && id != "uninitialized" {
			findings = append(findings, finding{[]string{file}, "the id of the build machine, which all machines would share", emptyIt})
		}
	}
	return findings
}

// keyPattern matches the beginning of a private key as written by OpenSSL, OpenSSH and PKCS
// #8.
var keyPattern = regexp.MustCompile(`-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----`)

// inspectKeys finds private keys by their content.
func inspectKeys(t tree) []finding {
	var paths []string
	for _, name := range t.paths() {
		if keyPattern.MatchString(t.content[name]) && !strings.HasPrefix(path.Base(name), "ssh_host_") {
			paths = append(paths, name)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	return []finding{{paths, "a private key, which all machines would share", "remove it in the last provisioner, or have each machine make its own"}}
}

const bakeIt = "let the provisioner \"slm-copilot\" finish, and do not undo what it did"

// inspectAppliance finds missing parts of the appliance.
func inspectAppliance(t tree) []finding {
	var findings []finding
	missing := func(path, what string) {
		if !t.isFile(path) || t.files[path].size == 0 {
			findings = append(findings, finding{[]string{path}, "is missing: " + what, bakeIt})
		}
	}
	missing(appliance.AgentPath, "the agent")
	missing(appliance.BakedFile, "the description of what was baked")
	missing(appliance.BakedLicenses, "the texts of the licences of what was baked")
	missing(appliance.LocalAIBinary, "LocalAI")
	missing(path.Join(appliance.BackendsDir, appliance.BackendName, "run.sh"), "LocalAI's backend")
	missing(appliance.ContextHook, "what makes one-context call the agent")
	if !t.has(modelMount) {
		for _, model := range t.models() {
			missing(model.WeightsFile(), "a model")
		}
	}
	if word := strings.TrimSpace(t.content[appliance.StatusFile]); word != appliance.InstallSuccess {
		findings = append(findings, finding{[]string{appliance.StatusFile}, "says \"" + word + "\", not \"" + appliance.InstallSuccess + "\"", bakeIt})
	}
	return findings
}

// models returns the models that the image says it has. Without a description it is one, with a file of
// the usual name.
func (t tree) models() []appliance.BakedModel {
	var baked appliance.Baked
	if err := json.Unmarshal([]byte(t.content[appliance.BakedFile]), &baked); err != nil {
		baked = appliance.Baked{}
	}
	return append([]appliance.BakedModel{baked.BakedModel}, baked.Others...)
}

// modelMount exists if the model is on a disk of its own.
const modelMount = appliance.UnitDir + "/" + files.ModelMountUnit

// inspectUnits finds units that do not start at boot.
func inspectUnits(t tree) []finding {
	var findings []finding
	for _, unit := range files.Units() {
		if link := files.EnabledLink(unit); !t.has(link) {
			findings = append(findings, finding{[]string{link}, "is missing: " + unit + " does not start at boot", "enable it with \"systemctl enable " + unit + "\""})
		}
	}
	return findings
}

// inspectBill checks that the bill of materials is valid.
func inspectBill(t tree) []finding {
	var bill struct {
		Version  string            `json:"spdxVersion"`
		Packages []json.RawMessage `json:"packages"`
	}
	err := json.Unmarshal([]byte(t.content[appliance.BakedSBOM]), &bill)
	if err == nil && bill.Version == "SPDX-2.3" && len(bill.Packages) > 0 {
		return nil
	}
	return []finding{{[]string{appliance.BakedSBOM}, "is not a bill of materials in SPDX 2.3", bakeIt}}
}
