package main

import (
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/clients"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/shell"
)

// agent is the path where make build puts the agent for this machine, relative to the
// checkout. The agent has the check command.
const agent = "provisioner/agent/slm-copilot-linux-" + runtime.GOARCH

// instructions returns what a developer needs to use the appliance. From the first "#" on,
// the text can be pasted into a shell, whole or block by block.
func instructions(target *acceptance.Target, checkout string) string {
	a := clients.Appliance{
		BaseURL: target.BaseURL() + "/v1", Password: target.Password, Model: target.Model,
		Root: &clients.Root{URL: "http://" + target.HTTP + appliance.PathCA, Fingerprint: clients.Fingerprint(target.Root)},
	}
	return fmt.Sprintf(`
  Endpoint      %s
  User          %s
  Password      %s
  Model         %s
  Certificate   of an authority of its own, whose root has the SHA-256 fingerprint
                %s

For a shell, each block after the first in the same shell:

`, a.BaseURL, appliance.APIUser, a.Password, a.Model, a.Root.Fingerprint) +
		block("1. Trust the certificate, and ask something.", a.Trust().Text, a.Curl().Text) +
		block("2. OpenAI's library, for Node (npm install openai) and for Python (pip install openai).",
			a.SDK().Text, a.Node().Text, a.Python().Text) +
		block("3. A coding agent: aider.", a.Aider().Text) +
		block("4. Run the acceptance checks (make build makes the program)", check(a, target, checkout)) +
		"Ctrl-C stops it.\n"
}

func block(title string, lines ...string) string {
	return "# " + title + "\n" + strings.Join(lines, "") + "\n"
}

// check passes the HTTP port, because port 80 of the guest is forwarded from another one.
func check(a clients.Appliance, target *acceptance.Target, checkout string) string {
	_, port, _ := net.SplitHostPort(target.HTTP)
	return fmt.Sprintf("printf '%%s\\n' %s |\n  %s check %s --http-port %s --ca %s --password-file -\n",
		shell.Quote(a.Password), shell.Quote(filepath.Join(checkout, agent)), a.BaseURL, port, clients.CAFile)
}
