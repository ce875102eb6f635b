package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/apply"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs/acme"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/nginx"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/probe"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/systemd"
)

// app is what the commands work on. Its methods are the commands, and the parts they are
// made of.
type app struct {
	root   string
	stdin  io.Reader
	stdout terminal
	stderr io.Writer
	now    func() time.Time
	facts  func() (machine.Facts, error)
	// owners returns the ids of root and of the service account.
	owners     func() (map[string]atomicfile.Owner, error)
	units      apply.Units
	checkProxy func(context.Context) error
	// answers returns why the appliance does not answer at this moment, nil if it does.
	answers func(context.Context) error
	// baseURL is where nginx answers, httpPort where it does without TLS, pause the time
	// between two attempts to ask it.
	baseURL  string
	httpPort int
	pause    time.Duration
	certbot  acme.Certbot
}

// newApp works on the machine itself, or on a directory in its place: then no owner is set
// and no unit is touched.
func newApp(root string) app {
	a := app{
		root:       root,
		stdin:      os.Stdin,
		now:        time.Now,
		facts:      func() (machine.Facts, error) { return machine.Read("/") },
		owners:     owners,
		units:      systemd.Units{},
		checkProxy: func(ctx context.Context) error { return nginx.Check(ctx) },
		baseURL:    "https://127.0.0.1:" + strconv.Itoa(appliance.HTTPSPort),
		httpPort:   appliance.HTTPPort,
		pause:      2 * time.Second,
	}
	a.answers = func(ctx context.Context) error { return probe.Answers(ctx, a.baseURL) }
	a.certbot = acme.Certbot{
		ConfigDir: a.path(appliance.ACMEDir), WorkDir: a.path(appliance.ACMEWorkDir), LogsDir: a.path(appliance.ACMELogsDir),
		WebRoot: a.path(appliance.WebRoot), CABundle: a.path(appliance.ACMECAFile),
		Hook: fmt.Sprintf("%s --root %s certificate --deployed", appliance.AgentPath, root),
	}
	if filepath.Clean(root) != "/" {
		a.owners = func() (map[string]atomicfile.Owner, error) { return nil, nil }
		a.units = noUnits{}
		a.checkProxy = func(context.Context) error { return nil }
		a.answers = func(context.Context) error { return nil }
	}
	return a
}

func (a app) path(path string) string { return filepath.Join(a.root, path) }

func (a app) openLog() *logfile.Log {
	return logfile.Open(a.path(appliance.LogFile), a.stderr, a.now)
}

func (a app) state() state { return state{status.Store{Root: a.root, Now: a.now}} }

func (a app) sources() sources {
	return sources{root: a.root, now: a.now, facts: a.facts, certbot: a.certbot}
}

func (a app) converger(log *logfile.Log) converger {
	return converger{
		sources: a.sources(), state: a.state(), owners: a.owners, units: a.units, checkProxy: a.checkProxy,
		proxy: proxy{baseURL: a.baseURL, units: a.units, patience: reloadPauses * a.pause}, log: log,
	}
}

func owners() (map[string]atomicfile.Owner, error) {
	account, err := user.Lookup(appliance.ServiceUser)
	if err != nil {
		return nil, fmt.Errorf("find the service account, which the image should contain: %w", err)
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return nil, err
	}
	return map[string]atomicfile.Owner{"root": {}, appliance.ServiceUser: {UID: uid, GID: gid}}, nil
}

// noUnits takes the place of systemd where no unit may be touched.
type noUnits struct{}

func (noUnits) Reload(context.Context) error             { return nil }
func (noUnits) Restart(context.Context, string) error    { return nil }
func (noUnits) TryRestart(context.Context, string) error { return nil }
func (noUnits) TryReload(context.Context, string) error  { return nil }
