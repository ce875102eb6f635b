package localaitest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localairun"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// The engine under test is the real one if all three of these are set: the local-ai program,
// the directory that contains the backend's directory, and the weights.
const (
	envBinary   = "LOCALAI_BIN"
	envBackends = "LOCALAI_BACKENDS"
	envModel    = "LOCALAI_MODEL"
)

// startLimit is long, so that it is exceeded only if something hangs.
const startLimit = 2 * time.Minute

const ourModule = "github.com/slm-copilot/packer-plugin-slm-copilot"

// Installation is an installed engine: the stand-ins, or the real one.
type Installation struct{ files localairun.Installation }

// installed returns the engine that the environment names, the zero value if it names none.
func installed(t testing.TB) Installation {
	t.Helper()
	named := localairun.Installation{Binary: os.Getenv(envBinary), Backends: os.Getenv(envBackends), Weights: os.Getenv(envModel)}
	if named != (localairun.Installation{}) && (named.Binary == "" || named.Backends == "" || named.Weights == "") {
		t.Fatalf("set all of %s, %s and %s, or none", envBinary, envBackends, envModel)
	}
	return Installation{named}
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
	return InstallStandIn(t)
}

// InstallStandIn builds the stand-ins.
func InstallStandIn(t testing.TB) Installation {
	t.Helper()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/",
		ourModule+"/internal/localaitest/local-ai", ourModule+"/internal/localaitest/"+BackendProgram)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the LocalAI stand-in: %v: %s", err, output)
	}
	i := localairun.Installation{Binary: filepath.Join(dir, "local-ai"), Backends: filepath.Join(dir, "backends"), Weights: filepath.Join(dir, "tiny.gguf")}
	if err := WriteBackend(filepath.Join(i.Backends, appliance.BackendName), filepath.Join(dir, BackendProgram)); err != nil {
		t.Fatal(err)
	}
	var weights bytes.Buffer
	if err := gguf.Write(&weights, gguf.Tiny("tiny")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(i.Weights, weights.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return Installation{i}
}

// Files returns where its programs and its weights are.
func (i Installation) Files() localairun.Installation { return i.files }

// Rendered is a configuration as the agent renders it for the appliance.
type Rendered = localairun.Rendered

// Process is a running LocalAI.
type Process struct{ *localairun.Process }

// Start runs the engine until the test ends. It does not wait until the engine is serving.
func (i Installation) Start(t testing.TB, r Rendered) *Process {
	t.Helper()
	process, err := localairun.Start(i.files, t.TempDir(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("LocalAI: %s", process.Log())
		}
		process.End()
	})
	return &Process{process}
}

// Restart does what systemctl restart does.
func (p *Process) Restart(t testing.TB) {
	t.Helper()
	if err := p.Process.Restart(); err != nil {
		t.Fatal(err)
	}
}

// BackendLog returns the output of the real engine's backend since its latest start.
func (p *Process) BackendLog(t testing.TB) string {
	t.Helper()
	text, err := p.Process.BackendLog()
	if err != nil {
		t.Fatalf("the log of the backend: %v", err)
	}
	return text
}

// WaitUntilServing waits until the port is open: the model is loaded then.
func (p *Process) WaitUntilServing(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	if err := p.Process.WaitUntilServing(ctx); err != nil {
		t.Fatal(err)
	}
}
