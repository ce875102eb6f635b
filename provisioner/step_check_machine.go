package provisioner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// goArch maps machine names of uname to Go's.
var goArch = map[string]string{"x86_64": "amd64", "aarch64": "arm64"}

// systems are the supported operating systems: ID and VERSION_ID in os-release.
var systems = []string{"ubuntu 22.04", "ubuntu 24.04", "ubuntu 26.04", "debian 12", "debian 13"}

// facts are the values that scripts/facts.sh prints about the machine.
type facts map[string]string

// parseFacts reads "name=value" lines and skips everything else, such as the greeting of a
// login shell.
func parseFacts(text string) facts {
	found := facts{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "="); ok {
			found[name] = value
		}
	}
	return found
}

// checkMachine reports everything that makes the machine unsuitable.
func (b *bake) checkMachine(ctx context.Context) error {
	text, err := b.script(ctx, "facts", nil, time.Minute, nil)
	if err != nil {
		return err
	}
	b.facts = parseFacts(text)
	b.arch = goArch[b.facts["machine"]]
	mistakes := []error{b.facts.check(b.config.Context), b.checkVersion()}
	if b.arch != "" {
		_, agentErr := readAgent(b.agents, b.arch)
		var pinErr error
		b.pinned, pinErr = b.config.pinAll(b.arch)
		mistakes = append(mistakes, agentErr, pinErr)
		// The lock knows the size of the weights before they are fetched.
		if size, memory := b.pinned[fieldModel].input.Size, b.facts.memory(); memory > 0 && size > int64(memory) {
			mistakes = append(mistakes, fmt.Errorf("the machine has %d MiB of memory, the weights of the model alone are %d MiB: "+
				"set memory of the source to what the model wants, or give the source the block model, which does", memory>>20, size>>20))
		}
	}
	if err := errors.Join(mistakes...); err != nil {
		return err
	}
	b.say(fmt.Sprintf("%s on %s", b.facts["pretty"], b.facts["machine"]))
	return nil
}

// checkVersion settles the version of the appliance. Two versions of one image would name it
// differently in the machine and in the marketplace.
func (b *bake) checkVersion() error {
	own := b.config.ApplianceVersion
	if own != "" && b.version != "" && own != b.version {
		return fmt.Errorf("appliance_version: %s, but image_version of the source is %s: leave appliance_version out, and set image_version in the source to the one that is meant", own, b.version)
	}
	b.config.ApplianceVersion = cmp.Or(own, b.version, defaultApplianceVersion)
	return nil
}

// memory is in bytes, as the kernel counts it; 0 if it is not known.
func (f facts) memory() uint64 {
	kib, err := strconv.ParseUint(f["memory"], 10, 40)
	if err != nil {
		return 0
	}
	return kib << 10
}

func (f facts) check(context string) error {
	var mistakes []error
	if f["uid"] != "0" {
		mistakes = append(mistakes, fmt.Errorf("the login is not root but uid %s: set ssh_username = \"root\" in the source", f["uid"]))
	}
	if system := f["id"] + " " + f["version"]; !slices.Contains(systems, system) {
		mistakes = append(mistakes, fmt.Errorf("the operating system is %q, not one of %s: use another base image", system, strings.Join(systems, ", ")))
	}
	if f["systemd"] != "yes" {
		mistakes = append(mistakes, errors.New("systemd is not running: use a base image that boots with systemd"))
	}
	if _, known := goArch[f["machine"]]; !known {
		mistakes = append(mistakes, fmt.Errorf("the architecture is %q, not x86_64 or aarch64: use another base image", f["machine"]))
	}
	if context == appliance.CloudInit && f["cloud_init"] != "yes" {
		mistakes = append(mistakes, fmt.Errorf("there is no cloud-init to apply the context: use a base image that has it, or set context = %q", appliance.OneContext))
	}
	if context == appliance.OneContext && f["network_manager"] == "yes" {
		mistakes = append(mistakes, errors.New("NetworkManager is installed, which writes over the network configuration of one-context: use a base image without it"))
	}
	return errors.Join(mistakes...)
}

func readAgent(agents fs.FS, arch string) ([]byte, error) {
	content, err := fs.ReadFile(agents, "agent/"+appliance.Name+"-linux-"+arch)
	if err != nil {
		return nil, fmt.Errorf("this plugin was built without the agent for %s: run make build", arch)
	}
	return content, nil
}
