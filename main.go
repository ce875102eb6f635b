// Command packer-plugin-slm-copilot is the Packer plugin that builds, proves and
// publishes the SLM-Copilot appliance. It registers the components and does nothing else.
package main

import (
	"fmt"
	"log"
	"os"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/plugin"
	"github.com/hashicorp/packer-plugin-sdk/version"

	"github.com/slm-copilot/packer-plugin-slm-copilot/builder"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/post-processor/marketplace"
	"github.com/slm-copilot/packer-plugin-slm-copilot/post-processor/verify"
	"github.com/slm-copilot/packer-plugin-slm-copilot/provisioner"
)

func main() {
	// The filter replaces secrets only in what is written through it.
	packersdk.LogSecretFilter.SetOutput(os.Stderr)
	log.SetOutput(&packersdk.LogSecretFilter)

	set := plugin.NewSet()
	set.RegisterBuilder(plugin.DEFAULT_NAME, new(builder.Builder))
	set.RegisterProvisioner(plugin.DEFAULT_NAME, new(provisioner.Provisioner))
	set.RegisterPostProcessor("verify", new(verify.PostProcessor))
	set.RegisterPostProcessor("marketplace", new(marketplace.PostProcessor))
	set.SetVersion(version.NewPluginVersion(appliance.Version, "", ""))
	if err := set.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
