package provisioner

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

//go:embed scripts/*.sh
var scripts embed.FS

// embeddedAgents is filled by make before the plugin is compiled; the placeholder in it
// keeps a fresh checkout compiling.
//
//go:embed all:agent
var embeddedAgents embed.FS

// bake is one run of the provisioner: what the steps share.
type bake struct {
	config   Config
	say      func(string)
	machine  *remote.Machine
	fetcher  *fetch.Fetcher
	puller   *ociimage.Puller
	cacheDir string
	agents   fs.FS
	// base is what the machine was made from; without a digest if nobody knows.
	base lockfile.Input

	// facts, Go's name of the architecture and the payloads for it are known after
	// checkMachine; pinned is by field.
	facts  facts
	arch   string
	pinned map[string]pinned
	// payload is known after fetchPayload, way after findModel.
	payload payload
	way     modelWay
	// memoryMiB is what the model wants, known after fetchPayload.
	memoryMiB int
	// agentSHA256 is known after installAgent.
	agentSHA256 string
}

// stage is a step of the bake. Its title is said when it starts and leads its error.
type stage struct {
	title string
	say   func(title string)
	run   func(context.Context) error
}

func (s stage) Run(ctx context.Context) error {
	s.say(s.title)
	if err := s.run(ctx); err != nil {
		return fmt.Errorf("%s: %w", s.title, err)
	}
	return nil
}

// stages are in this order because the cheap checks come first, and nothing on the
// machine is changed before everything it needs is there.
func (b *bake) stages(say func(title string)) []step.Listed {
	return []step.Listed{
		step.Of(stage{"check the machine", say, b.checkMachine}),
		step.Of(stage{"fetch engine, backend and model", say, b.fetchPayload}),
		step.Of(stage{"look for a disk with the model", say, b.findModel}),
		step.Of(stage{"check the free space", say, b.checkSpace}),
		step.Of(stage{"install packages", say, b.installPackages}),
		step.Of(stage{"set up the context", say, b.setContext}),
		step.Of(stage{"install units and the service account", say, b.installImageFiles}),
		step.Of(stage{"install LocalAI", say, b.installLocalAI}),
		step.Of(stage{"install the backend", say, b.installBackend}),
		step.Of(stage{"install the model", say, b.installModel}),
		step.Of(stage{"install the agent", say, b.installAgent}),
		step.Of(stage{"smoke test", say, b.smokeTest}),
		step.Of(stage{"clean up", say, b.cleanUp}),
		step.Of(stage{"take inventory", say, b.takeInventory}),
	}
}

// aptScripts run apt-get, with the functions of scripts/apt.sh.
var aptScripts = []string{"install_packages", "one_context", "clean_up"}

// scriptText is scripts/<name>.sh, after the functions that it uses.
func scriptText(name string) (string, error) {
	text, err := scripts.ReadFile("scripts/" + name + ".sh")
	if err != nil || !slices.Contains(aptScripts, name) {
		return string(text), err
	}
	functions, err := scripts.ReadFile("scripts/apt.sh")
	return string(functions) + string(text), err
}

// script runs scripts/<name>.sh on the machine.
func (b *bake) script(ctx context.Context, name string, env remote.Env, timeout time.Duration, line func(string)) (string, error) {
	text, err := scriptText(name)
	if err != nil {
		return "", err
	}
	output, err := b.machine.Run(ctx, remote.Script{Text: text, Env: env, Timeout: timeout, Line: line})
	if failure := (*remote.Failure)(nil); errors.As(err, &failure) && strings.Contains(failure.Output, "No space left on device") {
		err = fmt.Errorf("%w\nthe disk of the machine is full: give the source a larger disk_size", err)
	}
	return output, err
}

// occasionally passes on one line in every interval, to show life without a flood.
func occasionally(interval time.Duration, say func(string)) func(string) {
	last := time.Now()
	return func(line string) {
		if time.Since(last) >= interval {
			last = time.Now()
			say(line)
		}
	}
}
