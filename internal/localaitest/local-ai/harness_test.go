package main

import (
	"bytes"
	"io"
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

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localairun"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

const (
	// waitLimit is long, so that it is reached on a busy machine only if something hangs.
	waitLimit = 60 * time.Second
	tick      = 10 * time.Millisecond
)

// programs is where the two commands are built on first use, static as they are in an
// image.
var programs = sync.OnceValue(func() string {
	build := exec.Command("go", "build", "-o", programsDir+"/", ".", "../llama-cpp-backend")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		panic(string(output))
	}
	return programsDir
})

var programsDir string

func TestMain(m *testing.M) {
	var err error
	if programsDir, err = os.MkdirTemp("", "localaitest"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(programsDir)
	os.Exit(code)
}

// layout is an installation below a temporary directory: one model, one backend.
type layout struct{ dir string }

func newLayout(t *testing.T) layout {
	t.Helper()
	l := layout{t.TempDir()}
	for _, dir := range []string{"models", "tmp"} {
		require.NoError(t, os.Mkdir(filepath.Join(l.dir, dir), 0o755))
	}
	var weights bytes.Buffer
	require.NoError(t, gguf.Write(&weights, gguf.Tiny("tiny")))
	l.write(t, "models/tiny.gguf", weights.String())
	l.write(t, "models/tiny.yaml", "name: tiny\nbackend: llama-cpp\nparameters:\n  model: tiny.gguf\n  max_tokens: 4096\ncontext_size: 2048\nthreads: 2\nno_such_key: 1\n")
	require.NoError(t, localaitest.WriteBackend(filepath.Join(l.dir, "backends/llama-cpp"), filepath.Join(programs(), localaitest.BackendProgram)))
	return l
}

func (l layout) path(name string) string { return filepath.Join(l.dir, name) }

func (l layout) write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(l.path(name), []byte(content), 0o755))
}

func (l layout) remove(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, os.RemoveAll(l.path(name)))
}

// process is a running local-ai.
type process struct {
	command *exec.Cmd
	log     *localairun.Output
	gone    chan struct{}
}

// start runs local-ai with nothing in its environment but what is given here, on a free
// port.
func (l layout) start(t *testing.T, environment ...string) *process {
	t.Helper()
	p := &process{command: exec.Command(filepath.Join(programs(), "local-ai"), "run"), log: &localairun.Output{}, gone: make(chan struct{})}
	p.command.Env = append([]string{
		"PATH=/usr/bin:/bin",
		"TMPDIR=" + l.path("tmp"),
		"LOCALAI_ADDRESS=127.0.0.1:0",
		"LOCALAI_MODELS_PATH=" + l.path("models"),
		"LOCALAI_BACKENDS_PATH=" + l.path("backends"),
		"LOCALAI_NO_SUCH_NAME=ignored",
	}, environment...)
	p.command.Stdout, p.command.Stderr = p.log, p.log
	require.NoError(t, p.command.Start())
	go func() {
		_ = p.command.Wait()
		close(p.gone)
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.gone
	})
	return p
}

var listening = regexp.MustCompile(`LocalAI is started and running address="([^"]+)"`)

// url waits until the port is open.
func (p *process) url(t *testing.T) string {
	t.Helper()
	var found []string
	require.Eventually(t, func() bool {
		found = listening.FindStringSubmatch(p.log.String())
		return found != nil || p.ended()
	}, waitLimit, tick)
	require.NotNil(t, found, "local-ai ended: %s", p.log)
	return "http://" + found[1]
}

func (p *process) ended() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// exitCode waits for the end.
func (p *process) exitCode(t *testing.T) int {
	t.Helper()
	require.Eventually(t, p.ended, waitLimit, tick, "local-ai did not end")
	return p.command.ProcessState.ExitCode()
}

// children are the processes local-ai has started.
func (p *process) children(t *testing.T) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/" + strconv.Itoa(p.command.Process.Pid) + "/task/*/children")
	require.NoError(t, err)
	var pids []int
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has just ended
		}
		for _, field := range strings.Fields(string(content)) {
			pid, err := strconv.Atoi(field)
			require.NoError(t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// backend is the one child.
func (p *process) backend(t *testing.T) int {
	t.Helper()
	pids := p.children(t)
	require.Len(t, pids, 1)
	return pids[0]
}

// runs says whether a process is there and no zombie.
func runs(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, fields, _ := strings.Cut(string(status), ") ")
	return !strings.HasPrefix(fields, "Z")
}

func kill(t *testing.T, pid int) {
	t.Helper()
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.Eventually(t, func() bool { return !runs(pid) }, waitLimit, tick)
}

const chatBody = `{"model":"tiny","messages":[{"role":"user","content":"hi"}],"max_tokens":4}`

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return do(t, request)
}

func chat(t *testing.T, url string) (int, string) {
	t.Helper()
	return post(t, url+"/v1/chat/completions", chatBody)
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	return do(t, request)
}

func do(t *testing.T, request *http.Request) (int, string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

// transcript reads a recording of the real server.
func transcript(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "testdata", "transcripts", name))
	require.NoError(t, err)
	return string(content)
}
