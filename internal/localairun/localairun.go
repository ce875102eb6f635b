// Package localairun runs LocalAI as the agent configures it, separately from a LocalAI of the machine: all its
// files are in one directory, and its port is a free one.
package localairun

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

const (
	// stopLimit is long, so that it is exceeded only if something hangs.
	stopLimit = time.Minute
	startPoll = 20 * time.Millisecond
	maxStarts = 3
)

// Installation is an installed engine: the local-ai program, the directory that contains the
// backend's directory, and the weights.
type Installation struct{ Binary, Backends, Weights string }

// Rendered is a configuration as the agent renders it for the appliance. Its paths and its address are
// replaced.
type Rendered struct {
	Environment, ModelFile []byte
	// ChatTemplate is the file that the model file names, if it names one.
	ChatTemplate []byte
	// Unit is the systemd unit, for its limit of the stack; nil keeps that of this process.
	Unit []byte
}

// stackLimit returns the unit's LimitSTACK in KiB, 0 if it has none.
func (r Rendered) stackLimit() int {
	found := regexp.MustCompile(`(?m)^LimitSTACK=(\d+)G$`).FindSubmatch(r.Unit)
	if found == nil {
		return 0
	}
	gibibytes, _ := strconv.Atoi(string(found[1]))
	return gibibytes << 20
}

// Process is a running LocalAI.
type Process struct {
	// URL is "http://127.0.0.1:<port>".
	URL string
	// Weights is the link to the model's file; the file may be replaced.
	Weights string

	binary, tmp string
	// stack is the limit of the stack in KiB, 0 for that of this process.
	stack int
	env   []string
	log   *Output

	mu      sync.Mutex
	current run
}

// run is one start of LocalAI.
type run struct {
	process *os.Process
	// gone is closed when it has ended.
	gone chan struct{}
}

// Start runs the engine with its files in dir, which is empty. It does not wait until the engine is
// serving.
func Start(i Installation, dir string, r Rendered) (*Process, error) {
	address, err := UnusedAddress()
	if err != nil {
		return nil, fmt.Errorf("find a port for LocalAI: %w", err)
	}
	p := &Process{
		URL: "http://" + address, Weights: filepath.Join(dir, "models", appliance.ModelFile),
		binary: i.Binary, tmp: filepath.Join(dir, "tmp"), stack: r.stackLimit(), log: &Output{},
	}
	own := strings.NewReplacer(
		appliance.ModelConfigDir, filepath.Join(dir, "models"),
		appliance.ChatTemplateFile, filepath.Join(dir, "chat-template.jinja"),
		appliance.BackendsDir, i.Backends,
		appliance.LocalAIStateDir, filepath.Join(dir, "state"),
		appliance.LocalAIAddress, address)
	if err := p.lay(dir, i.Weights, own.Replace(string(r.ModelFile)), r.ChatTemplate); err != nil {
		return nil, fmt.Errorf("lay out the files of LocalAI: %w", err)
	}
	p.env = []string{"PATH=/usr/bin:/bin", "HOME=" + filepath.Join(dir, "state"), "TMPDIR=" + p.tmp}
	for line := range strings.Lines(own.Replace(string(r.Environment))) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			p.env = append(p.env, line)
		}
	}
	return p, p.launch()
}

func (p *Process) lay(dir, weights, modelFile string, chatTemplate []byte) error {
	for _, name := range []string{"models", "state", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "models", "model.yaml"), []byte(modelFile), 0o644); err != nil {
		return err
	}
	if chatTemplate != nil {
		if err := os.WriteFile(filepath.Join(dir, "chat-template.jinja"), chatTemplate, 0o644); err != nil {
			return err
		}
	}
	return os.Symlink(weights, p.Weights)
}

func (p *Process) launch() error {
	// It may outlive any context: what ends it is Kill, End or Restart.
	command := exec.Command(p.binary, "run") //nolint:noctx // see above
	if p.stack > 0 {
		command = exec.Command("sh", "-c", `ulimit -s "$1" && exec "$0" run`, p.binary, strconv.Itoa(p.stack)) //nolint:noctx // see above
	}
	command.Env, command.Stdout, command.Stderr = p.env, p.log, p.log
	if err := command.Start(); err != nil {
		return fmt.Errorf("start LocalAI: %w", err)
	}
	gone := make(chan struct{})
	go func() {
		_ = command.Wait() // however it ended, it is gone
		close(gone)
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = run{command.Process, gone}
	return nil
}

func (p *Process) run() run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// End kills LocalAI, and the backends of the real engine too: they would notice only after seconds,
// during which their directory may be removed.
func (p *Process) End() {
	backends := p.Backends()
	p.Kill()
	for _, pid := range backends {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// Restart does what systemctl restart does.
func (p *Process) Restart() error {
	present := p.run()
	_ = present.process.Signal(syscall.SIGTERM) // it may have been killed before
	select {
	case <-present.gone:
	case <-time.After(stopLimit):
		return fmt.Errorf("LocalAI did not end within %s: %s", stopLimit, p.log)
	}
	return p.launch()
}

// Kill kills LocalAI, as the kernel does when memory runs out.
func (p *Process) Kill() {
	present := p.run()
	_ = present.process.Kill()
	<-present.gone
}

// PID returns the process id of LocalAI.
func (p *Process) PID() int { return p.run().process.Pid }

// Running reports whether LocalAI is still running.
func (p *Process) Running() bool {
	select {
	case <-p.run().gone:
		return false
	default:
		return true
	}
}

// Log returns the output of LocalAI so far.
func (p *Process) Log() string { return p.log.String() }

// BackendLog returns the output of the real engine's backend since its latest start. LocalAI keeps it
// in a directory of its own below TMPDIR (github.com/mudler/go-processmanager).
func (p *Process) BackendLog() (string, error) {
	logs, _ := filepath.Glob(filepath.Join(p.tmp, "go-processmanager*", "stderr"))
	latest, started := "", time.Time{}
	for _, path := range logs {
		if info, err := os.Stat(filepath.Join(filepath.Dir(path), "pid")); err == nil && info.ModTime().After(started) {
			latest, started = path, info.ModTime()
		}
	}
	text, err := os.ReadFile(latest)
	return string(text), err
}

// WaitUntilServing waits until the port is open: the model is loaded then. LocalAI picks a
// free port for its backend; if another process takes it first, LocalAI exits, and is
// restarted a few times, as systemd would.
func (p *Process) WaitUntilServing(ctx context.Context) error {
	for starts := 1; ; {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/readyz", nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			return response.Body.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("LocalAI does not serve: %w: %s", context.Cause(ctx), p.log)
		case <-time.After(startPoll):
		}
		if p.Running() {
			continue
		}
		if starts++; starts > maxStarts {
			return errors.New("LocalAI ended: " + p.log.String())
		}
		if err := p.launch(); err != nil {
			return err
		}
	}
}

// Backends returns the process ids of LocalAI's child processes.
func (p *Process) Backends() []int {
	var pids []int
	parent := fmt.Sprintf("PPid:\t%d\n", p.PID())
	processes, _ := filepath.Glob("/proc/[1-9]*/status")
	for _, path := range processes {
		status, _ := os.ReadFile(path) // it may have just ended
		if !strings.Contains(string(status), parent) || strings.Contains(string(status), "State:\tZ") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// UnusedAddress returns an address of this machine alone, with a port that is currently free.
func UnusedAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// Output collects the output of a process and can be read at the same time.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends p.
func (b *Output) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns the output so far.
func (b *Output) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
