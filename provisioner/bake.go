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

// bake is the state that the steps of one run share.
type bake struct {
	config   Config
	say      func(string)
	machine  *remote.Machine
	fetcher  *fetch.Fetcher
	puller   *ociimage.Puller
	cacheDir string
	agents   fs.FS
	// base is the base image of the machine; its digest is empty if the source did not
	// report one.
	base lockfile.Input
	// version is that of the image, empty if the source did not report one.
	version string

	// facts, arch (Go's name) and pinned (by field) are set by checkMachine.
	facts  facts
	arch   string
	pinned map[string]pinned
	// payload is set by fetchPayload, way by findModel.
	payload payload
	way     modelWay
	// agentSHA256 is set by installAgent.
	agentSHA256 string
}

// stage is a step of the bake. Its title is printed when it starts and prefixes its error.
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

// stages returns the steps in order: cheap checks first, and nothing on the machine is
// changed before everything it needs is available.
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
		step.Of(stage{"install the model", say, b.installModels}),
		step.Of(stage{"install the agent", say, b.installAgent}),
		step.Of(stage{"smoke test", say, b.smokeTest}),
		step.Of(stage{"clean up", say, b.cleanUp}),
		step.Of(stage{"take inventory", say, b.takeInventory}),
	}
}

// aptScripts are the scripts that use the functions of scripts/apt.sh.
var aptScripts = []string{"install_packages", "one_context", "clean_up"}

// scriptText returns scripts/<name>.sh, preceded by scripts/apt.sh if it needs that.
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

// occasionally passes on at most one line per interval, as a sign of progress.
func occasionally(interval time.Duration, say func(string)) func(string) {
	last := time.Now()
	return func(line string) {
		if time.Since(last) >= interval {
			last = time.Now()
			say(line)
		}
	}
}
