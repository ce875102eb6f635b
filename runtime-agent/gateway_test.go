package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/probe"
)

// gatewayKey is LocalAI's.
const gatewayKey = "0123456789abcdef0123456789abcdef"

// gatewayUnderTest is the agent as systemd runs it: with a socket that outlives it.
type gatewayUnderTest struct {
	agent, root, credentials string
	// path is that of the socket.
	path   string
	socket *os.File
	client *http.Client
	stderr io.Writer
}

// newGateway prepares a gateway in front of an engine.
func newGateway(t testing.TB, agent, engine string) *gatewayUnderTest {
	t.Helper()
	// The path of a socket has 107 bytes at most.
	directory, err := os.MkdirTemp("", "gateway")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	path := filepath.Join(directory, "socket")
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	file, err := listener.(*net.UnixListener).File()
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	g := &gatewayUnderTest{agent: agent, root: t.TempDir(), credentials: t.TempDir(), path: path, socket: file, stderr: t.Output(), client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", path)
		},
		DisableKeepAlives: true,
	}}}
	g.configure(t, engine)
	require.NoError(t, os.WriteFile(filepath.Join(g.credentials, filepath.Base(appliance.EngineKeyFile)), []byte(gatewayKey+"\n"), 0o600))
	return g
}

func (g *gatewayUnderTest) configure(t testing.TB, engine string) {
	t.Helper()
	config := gateway.Config{Model: appliance.ModelID, ContextSize: 32768, Slots: 1, Engine: engine, ReadTimeout: 600}
	path := filepath.Join(g.root, appliance.GatewayConfigFile)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, config.Render(), 0o600))
}

// start runs it until it is killed, or the test ends.
func (g *gatewayUnderTest) start(t testing.TB) *exec.Cmd {
	t.Helper()
	command := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", g.agent, "--root", g.root, "gateway")
	command.Env = []string{"LISTEN_FDS=1", "CREDENTIALS_DIRECTORY=" + g.credentials}
	command.ExtraFiles = []*os.File{g.socket}
	command.Stderr = g.stderr
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return command
}

// ask sends a chat of a client; the answer has begun when it returns.
func (g *gatewayUnderTest) ask(t testing.TB, client string, maxTokens int) (*http.Response, error) {
	t.Helper()
	body := fmt.Sprintf(`{"messages":[{"role":"user","content":"Hello"}],"max_tokens":%d,"stream":true}`, maxTokens)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://gateway"+appliance.PathChat, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set(appliance.HeaderClient, client)
	return g.client.Do(request)
}

func (g *gatewayUnderTest) read(t testing.TB, response *http.Response, err error) string {
	t.Helper()
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

// slowEngine takes its time for each token.
func slowEngine(t testing.TB, token time.Duration) *localaitest.Server {
	t.Helper()
	return localaitest.NewServer(t, localaitest.Options{
		Models: []localaitest.Model{{Name: appliance.ModelID, Template: localaitest.Relaxed}}, Keys: []string{gatewayKey}, TokenDelay: token,
	})
}

// Killed in the middle of an answer, the gateway leaves its client an answer that is cut, which
// clients try again; and who asks while it is away is answered when it is back.
func TestTheGatewayIsKilled(t *testing.T) {
	g := newGateway(t, buildAgent(t), slowEngine(t, 10*time.Millisecond).Address)
	first := g.start(t)
	running, err := g.ask(t, "a", 2000)
	require.NoError(t, err)
	_, err = io.ReadFull(running.Body, make([]byte, 300))
	require.NoError(t, err, "the answer has begun")
	require.NoError(t, first.Process.Kill())
	_, err = io.ReadAll(running.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "the answer does not look whole")
	_ = running.Body.Close()
	_ = first.Wait()

	answers := make(chan string)
	go func() {
		response, err := g.ask(t, "a", 3)
		answers <- g.read(t, response, err)
	}()
	g.start(t)
	assert.Contains(t, <-answers, "data: [DONE]")
}

// SIGHUP changes what new requests get, SIGTERM lets the running ones end.
func TestTheGatewayIsToldBySignals(t *testing.T) {
	g := newGateway(t, buildAgent(t), slowEngine(t, 10*time.Millisecond).Address)
	process := g.start(t)
	running, err := g.ask(t, "a", 100)
	require.NoError(t, err)
	g.configure(t, "127.0.0.1:1")
	require.NoError(t, process.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool {
		response, err := g.client.Get("http://gateway" + appliance.PathReadyz)
		require.NoError(t, err)
		defer response.Body.Close()
		return response.StatusCode == 503
	}, time.Minute, 10*time.Millisecond, "there is no engine at the new address")
	require.NoError(t, os.WriteFile(filepath.Join(g.root, appliance.GatewayConfigFile), []byte("{"), 0o600))
	require.NoError(t, process.Process.Signal(syscall.SIGHUP), "a damaged configuration is not used")
	require.NoError(t, process.Process.Signal(syscall.SIGTERM))
	assert.Contains(t, g.read(t, running, nil), "data: [DONE]")
	require.NoError(t, process.Wait(), "it ends with success")
}

// SIGUSR1 says that the engine has started: the next prompt is all new to it.
func TestTheGatewayIsToldOfAStart(t *testing.T) {
	g := newGateway(t, buildAgent(t), slowEngine(t, 0).Address)
	process := g.start(t)
	unread := func() float64 {
		response, err := g.ask(t, "a", 2)
		g.read(t, response, err)
		numbers, err := probe.NumbersOf(t.Context(), g.path)
		require.NoError(t, err)
		return numbers.Sum(appliance.MetricProgramTokens, "state", "new")
	}
	first := unread()
	require.Positive(t, first)
	require.InDelta(t, first, unread(), 0, "the engine has read it")
	require.NoError(t, process.Process.Signal(syscall.SIGUSR1))
	require.Eventually(t, func() bool { return unread() >= 2*first }, time.Minute, 10*time.Millisecond)
}

// Requests that wait cost little.
func TestTheMemoryOfTheGateway(t *testing.T) {
	const clients, most = 64, 40 << 10 // KiB
	g := newGateway(t, buildAgent(t), slowEngine(t, time.Hour).Address)
	process := g.start(t)
	statuses := make(chan int)
	for i := range clients {
		go func() {
			response, err := g.ask(t, fmt.Sprintf("client %d", i), 2000)
			if !assert.NoError(t, err) {
				statuses <- 0
				return
			}
			t.Cleanup(func() { _ = response.Body.Close() })
			statuses <- response.StatusCode
		}()
	}
	found := map[int]int{}
	for range clients {
		found[<-statuses]++
	}
	assert.Equal(t, map[int]int{200: 33, 429: clients - 33}, found, "one is answered, 32 wait, and the others are refused")
	assert.Less(t, residentMemory(t, process.Process.Pid), most)
}

var residentLine = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// residentMemory is in KiB.
func residentMemory(t testing.TB, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	found := residentLine.FindSubmatch(text)
	require.NotNil(t, found, string(text))
	size, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	return size
}

func TestAGatewayThatCannotStart(t *testing.T) {
	agent := buildAgent(t)
	for name, tt := range map[string]struct {
		spoil func(*gatewayUnderTest)
		want  string
	}{
		"no configuration": {func(g *gatewayUnderTest) { require.NoError(t, os.RemoveAll(filepath.Join(g.root, "etc"))) }, "which slm-copilot configure writes"},
		"damaged": {func(g *gatewayUnderTest) {
			require.NoError(t, os.WriteFile(filepath.Join(g.root, appliance.GatewayConfigFile), []byte("{}"), 0o600))
		}, "model is missing"},
		"no key of the engine": {func(g *gatewayUnderTest) { require.NoError(t, os.RemoveAll(g.credentials)) }, filepath.Base(appliance.EngineKeyFile)},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, agent, "127.0.0.1:1")
			tt.spoil(g)
			command := exec.Command(g.agent, "--root", g.root, "gateway")
			command.Env = []string{"CREDENTIALS_DIRECTORY=" + g.credentials}
			out, err := command.CombinedOutput()
			require.Error(t, err)
			assert.Contains(t, string(out), tt.want)
		})
	}
}
