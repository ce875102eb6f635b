package provisioner

import (
	"context"
	"embed"
	"io/fs"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remote"
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
	cacheDir string
	agents   fs.FS

	// arch is Go's name of the machine's architecture, known after checkMachine.
	arch string
	// payload is known after fetchPayload.
	payload payload
}

// step is one stage of the bake. Its title is said when it starts and leads its error.
type step struct {
	title string
	run   func(*bake, context.Context) error
}

// steps are in this order because the cheap checks come first, and nothing on the
// machine is changed before everything it needs is there.
var steps = []step{
	{"check the machine", (*bake).checkMachine},
	{"fetch engine, backend and model", (*bake).fetchPayload},
	{"check the free space", (*bake).checkSpace},
	{"install packages", (*bake).installPackages},
	{"install units and the service account", (*bake).installImageFiles},
	{"install LocalAI", (*bake).installLocalAI},
	{"install the backend", (*bake).installBackend},
	{"install the model", (*bake).installModel},
	{"install the agent", (*bake).installAgent},
	{"smoke test", (*bake).smokeTest},
	{"clean up", (*bake).cleanUp},
}

// script runs scripts/<name>.sh on the machine.
func (b *bake) script(ctx context.Context, name string, env remote.Env, timeout time.Duration, line func(string)) (string, error) {
	text, err := scripts.ReadFile("scripts/" + name + ".sh")
	if err != nil {
		return "", err
	}
	return b.machine.Run(ctx, remote.Script{Text: string(text), Env: env, Timeout: timeout, Line: line})
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
