package provisioner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// goArch maps what uname says to Go's names.
var goArch = map[string]string{"x86_64": "amd64", "aarch64": "arm64"}

// facts are what scripts/facts.sh found out about the machine.
type facts map[string]string

// parseFacts reads "name=value" lines and passes over everything else, such as the
// greeting of a login shell.
func parseFacts(text string) facts {
	found := facts{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "="); ok {
			found[name] = value
		}
	}
	return found
}

func (b *bake) checkMachine(ctx context.Context) error {
	text, err := b.script(ctx, "facts", nil, time.Minute, nil)
	if err != nil {
		return err
	}
	found := parseFacts(text)
	if err := found.check(b.agents); err != nil {
		return err
	}
	b.arch = goArch[found["machine"]]
	b.say(fmt.Sprintf("%s on %s", found["pretty"], found["machine"]))
	return nil
}

// check names everything that keeps the machine from becoming the appliance.
func (f facts) check(agents fs.FS) error {
	var mistakes []error
	if f["uid"] != "0" {
		mistakes = append(mistakes, fmt.Errorf("the login is not root but uid %s: set ssh_username = \"root\" in the source", f["uid"]))
	}
	family := append(strings.Fields(f["like"]), f["id"])
	if !slices.Contains(family, "debian") && !slices.Contains(family, "ubuntu") {
		mistakes = append(mistakes, fmt.Errorf("the operating system is %q, not Debian or Ubuntu: use another base image", f["id"]))
	}
	if f["systemd"] != "yes" {
		mistakes = append(mistakes, errors.New("systemd is not running: use a base image that boots with systemd"))
	}
	arch, known := goArch[f["machine"]]
	if !known {
		mistakes = append(mistakes, fmt.Errorf("the architecture is %q, not x86_64 or aarch64: use another base image", f["machine"]))
	} else if _, err := readAgent(agents, arch); err != nil {
		mistakes = append(mistakes, err)
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
