package localaitest

import (
	"bytes"
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
	"testing"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// The engine under test is the real one if all three of these are set: the local-ai program,
// the directory that contains the backend's directory, and the weights.
const (
	envBinary   = "LOCALAI_BIN"
	envBackends = "LOCALAI_BACKENDS"
	envModel    = "LOCALAI_MODEL"
)

const (
	// startLimit and stopLimit are long, so that they are exceeded only if something hangs.
	startLimit = 2 * time.Minute
	stopLimit  = time.Minute
	startPoll  = 20 * time.Millisecond
	maxStarts  = 3
)

const ourModule = "github.com/slm-copilot/packer-plugin-slm-copilot"

// Installation is an installed engine: the stand-ins, or the real one.
type Installation struct{ binary, backends, weights string }

// installed returns the engine that the environment names, the zero value if it names none.
func installed(t testing.TB) Installation {
	t.Helper()
	named := Installation{os.Getenv(envBinary), os.Getenv(envBackends), os.Getenv(envModel)}
	if named != (Installation{}) && (named.binary == "" || named.backends == "" || named.weights == "") {
		t.Fatalf("set all of %s, %s and %s, or none", envBinary, envBackends, envModel)
	}
	return named
}

// InstallReal returns the real engine. The test is skipped if the environment names none.
func InstallReal(t testing.TB) Installation {
	t.Helper()
	real := installed(t)
	if real == (Installation{}) {
		t.Skipf("%s names no real engine", envBinary)
	}
	return real
}

// Install returns the real engine if the environment names one, otherwise the stand-ins, which
// it builds.
func Install(t testing.TB) Installation {
	t.Helper()
	if real := installed(t); real != (Installation{}) {
		return real
	}
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/",
		ourModule+"/internal/localaitest/local-ai", ourModule+"/internal/localaitest/"+BackendProgram)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the LocalAI stand-in: %v: %s", err, output)
	}
	i := Installation{filepath.Join(dir, "local-ai"), filepath.Join(dir, "backends"), filepath.Join(dir, "tiny.gguf")}
	if err := WriteBackend(filepath.Join(i.backends, appliance.BackendName), filepath.Join(dir, BackendProgram)); err != nil {
		t.Fatal(err)
	}
	var weights bytes.Buffer
	if err := gguf.Write(&weights, gguf.Tiny("tiny")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, i.weights, weights.Bytes())
	return i
}

// Rendered is a configuration as the agent renders it for the appliance. The test replaces its
// paths and its address.
type Rendered struct {
	Environment, ModelFile []byte
	// ChatTemplate is the file that the model file names, if it names one.
	ChatTemplate []byte
	// Unit is the systemd unit, for its limit of the stack; nil keeps that of the test.
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
	// Weights is the link to the model's file; a test may replace the file.
	Weights string

	binary, tmp string
	// stack is the limit of the stack in KiB, 0 for that of the test.
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

// Start runs the engine until the test ends. It does not wait until the engine is serving.
func (i Installation) Start(t testing.TB, r Rendered) *Process {
	t.Helper()
	dir := t.TempDir()
	address := unusedAddress(t)
	own := strings.NewReplacer(
		appliance.ModelConfigDir, filepath.Join(dir, "models"),
		appliance.ChatTemplateFile, filepath.Join(dir, "chat-template.jinja"),
		appliance.BackendsDir, i.backends,
		appliance.LocalAIStateDir, filepath.Join(dir, "state"),
		appliance.LocalAIAddress, address)
	for _, name := range []string{"models", "state", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(dir, "models", "model.yaml"), []byte(own.Replace(string(r.ModelFile))))
	if r.ChatTemplate != nil {
		writeFile(t, filepath.Join(dir, "chat-template.jinja"), r.ChatTemplate)
	}
	p := &Process{
		URL: "http://" + address, Weights: filepath.Join(dir, "models", appliance.ModelFile),
		binary: i.binary, tmp: filepath.Join(dir, "tmp"), stack: r.stackLimit(), log: &Output{},
	}
	if err := os.Symlink(i.weights, p.Weights); err != nil {
		t.Fatal(err)
	}
	p.env = []string{"PATH=/usr/bin:/bin", "HOME=" + filepath.Join(dir, "state"), "TMPDIR=" + p.tmp}
	for line := range strings.Lines(own.Replace(string(r.Environment))) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			p.env = append(p.env, line)
		}
	}
	p.launch(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("LocalAI: %s", p.log)
		}
		p.kill()
	})
	return p
}

func (p *Process) launch(t testing.TB) {
	t.Helper()
	// The context of a test ends before its cleanup, which waits for the process.
	command := exec.Command(p.binary, "run")
	if p.stack > 0 {
		command = exec.Command("sh", "-c", `ulimit -s "$1" && exec "$0" run`, p.binary, strconv.Itoa(p.stack))
	}
	command.Env, command.Stdout, command.Stderr = p.env, p.log, p.log
	if err := command.Start(); err != nil {
		t.Fatalf("start LocalAI: %v", err)
	}
	gone := make(chan struct{})
	go func() {
		_ = command.Wait() // however it ended, it is gone
		close(gone)
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = run{command.Process, gone}
}

func (p *Process) run() run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// kill also kills the backends of the real engine: they would notice only after seconds,
// during which the test's directory is removed.
func (p *Process) kill() {
	backends := p.Backends()
	p.Kill()
	for _, pid := range backends {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// Restart does what systemctl restart does.
func (p *Process) Restart(t testing.TB) {
	t.Helper()
	present := p.run()
	_ = present.process.Signal(syscall.SIGTERM) // it may have been killed before
	select {
	case <-present.gone:
	case <-time.After(stopLimit):
		t.Fatalf("LocalAI did not end: %s", p.log)
	}
	p.launch(t)
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
func (p *Process) BackendLog(t testing.TB) string {
	t.Helper()
	logs, _ := filepath.Glob(filepath.Join(p.tmp, "go-processmanager*", "stderr"))
	latest, started := "", time.Time{}
	for _, path := range logs {
		if info, err := os.Stat(filepath.Join(filepath.Dir(path), "pid")); err == nil && info.ModTime().After(started) {
			latest, started = path, info.ModTime()
		}
	}
	text, err := os.ReadFile(latest)
	if err != nil {
		t.Fatalf("the log of the backend: %v", err)
	}
	return string(text)
}

// WaitUntilServing waits until the port is open: the model is loaded then. LocalAI picks a
// free port for its backend; if another process takes it first, LocalAI exits, and is
// restarted a few times, as systemd would.
func (p *Process) WaitUntilServing(t testing.TB) {
	t.Helper()
	starts := 1
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); time.Sleep(startPoll) {
		response, err := http.Get(p.URL + "/readyz")
		if err == nil {
			response.Body.Close()
			return
		}
		if p.Running() {
			continue
		}
		if starts++; starts > maxStarts {
			t.Fatalf("LocalAI ended: %s", p.log)
		}
		p.launch(t)
	}
	t.Fatalf("LocalAI does not serve: %s", p.log)
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

// unusedAddress returns an address with a port that is currently free.
func unusedAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func writeFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
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
