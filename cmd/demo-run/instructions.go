package main

import (
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// instructions are what a developer needs to use the appliance; its lines can be pasted
// into a shell. A made-up password holds nothing that a shell or JSON would change.
func instructions(target *acceptance.Target) string {
	return fmt.Sprintf(`
The appliance is ready.

  Endpoint   %[1]s/v1
  User       %[2]s
  Password   %[3]s
  Model      %[4]s

Trust its certificate, and ask it something:

curl -sSfo ca.pem http://%[5]s%[6]s
curl -sSf --cacert ca.pem -H 'Authorization: Bearer %[3]s' -H 'Content-Type: application/json' %[1]s%[7]s -d '{"model": "%[4]s", "max_tokens": 32, "messages": [{"role": "user", "content": "Say hello."}]}'

Ctrl-C stops it.
`, target.BaseURL(), appliance.APIUser, target.Password, target.Model, target.HTTP, appliance.PathCA, appliance.PathChat)
}
