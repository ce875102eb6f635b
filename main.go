// Command packer-plugin-slm-copilot is the Packer plugin that builds, verifies and
// publishes the SLM-Copilot appliance. It only registers the components.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"slices"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/plugin"
	"github.com/hashicorp/packer-plugin-sdk/version"

	"github.com/slm-copilot/packer-plugin-slm-copilot/builder"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/post-processor/marketplace"
	"github.com/slm-copilot/packer-plugin-slm-copilot/post-processor/verify"
	"github.com/slm-copilot/packer-plugin-slm-copilot/provisioner"
)

const help = `packer-plugin-slm-copilot ` + appliance.Version + ` is the Packer plugin that builds, proves and publishes the SLM-Copilot appliance.
Packer finds and starts it once it is installed: packer plugins install --path <this file> github.com/slm-copilot/slm-copilot
How to use it is in README.md and docs/ of its repository; make demo shows all of it.
`

func main() {
	if args := os.Args[1:]; !fromPacker(args) {
		os.Exit(answer(args, os.Stdout, os.Stderr))
	}
	// The filter hides secrets only in what is written through it.
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

// fromPacker reports whether Packer, and not a person, started the plugin.
func fromPacker(args []string) bool {
	return slices.Contains(args, "describe") || slices.Contains(args, "start")
}

// answer explains the plugin to a person who has started it directly.
func answer(args []string, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 0:
		fmt.Fprint(stderr, help)
		return 2
	case slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]):
		fmt.Fprint(stdout, help)
		return 0
	}
	fmt.Fprintf(stderr, "packer-plugin-slm-copilot: there is no command %q\nsee packer-plugin-slm-copilot --help\n", args[0])
	return 2
}
