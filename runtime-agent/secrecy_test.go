package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxrun"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/nginx"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

var secretKeys = []appliance.NamedKey{{Name: "alice", Key: "k7Ge9wQz-2mXx"}, {Name: "ci", Key: "tractor-lemon-37"}}

// keyed is a machine with keys, on which nginx and the gateway run as processes and log what they can.
type keyed struct {
	*vm
	gateway *gatewayUnderTest
	process *exec.Cmd
	nginx   *nginxrun.Server
	// address is nginx's, logs the directory of all logs but the agent's.
	address, logs string
}

func newKeyed(t *testing.T) *keyed {
	t.Helper()
	const password = "harbour-violin-58"
	k := &keyed{vm: newVM(t), address: nginxtest.FreeAddress(t), logs: t.TempDir()}
	k.configure(map[string]string{appliance.VarPassword: password, appliance.VarKeys: "alice:k7Ge9wQz-2mXx, ci:tractor-lemon-37", "ETH0_IP": "127.0.0.1"})
	k.gateway = newGateway(t, buildAgent(t), "127.0.0.1:1")
	k.gateway.root = k.root
	k.engineAt(slowEngine(t, 0).Address)
	journal, err := os.Create(filepath.Join(k.logs, "journal"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = journal.Close() })
	k.gateway.stderr = journal
	k.process = k.gateway.start(t)
	path := func(p string) string { return filepath.Join(k.root, p) }
	site := nginx.Site{
		HTTPListen: []string{nginxtest.FreeAddress(t)}, HTTPSListen: []string{k.address}, Upstream: "unix:" + k.gateway.path,
		Certificate: path(appliance.ServerCert), Key: path(appliance.ServerKey), WebRoot: path(appliance.WebRoot),
		ReloadingFile: path(appliance.ReloadingFile), Password: password, KeysFile: path(appliance.NginxKeys),
	}
	// The site logs as nginx does on Debian, and its errors in more detail.
	text := strings.ReplaceAll(string(site.Render()), "server_name _;", "server_name _;\n    access_log "+k.logs+"/access.log combined;")
	k.nginx = nginxtest.Run(t, []byte("error_log "+k.logs+"/error.log info;\n"+text), k.address)
	return k
}

// engineAt changes where the gateway finds the engine, once it reads its configuration.
func (k *keyed) engineAt(address string) {
	k.t.Helper()
	config, err := gateway.ParseConfig([]byte(k.read(appliance.GatewayConfigFile)))
	require.NoError(k.t, err)
	assert.Equal(k.t, []string{"alice", "ci"}, config.Keys)
	config.Engine = address
	k.put(appliance.GatewayConfigFile, string(config.Render()))
}

// loseEngine has the gateway look for the engine where nothing is.
func (k *keyed) loseEngine() {
	k.t.Helper()
	k.engineAt(nginxtest.FreeAddress(k.t))
	require.NoError(k.t, k.process.Process.Signal(syscall.SIGHUP))
	require.Eventually(k.t, func() bool {
		status, _ := k.ask(http.MethodGet, appliance.PathReadyz, "", func(*http.Request) {})
		return status == http.StatusServiceUnavailable
	}, time.Minute, 10*time.Millisecond)
}

func (k *keyed) ask(method, path, body string, authorize func(*http.Request)) (status int, text string) {
	k.t.Helper()
	request, err := http.NewRequest(method, "https://"+k.address+path, strings.NewReader(body))
	require.NoError(k.t, err)
	authorize(request)
	response, err := k.client().Do(request)
	return response.StatusCode, k.gateway.read(k.t, response, err)
}

const shortChat = `{"messages":[{"role":"user","content":"Hello"}],"max_tokens":3,"stream":true}`

// useEveryWay sends each key in each way, right and wrong, with a good request and with a bad one.
func (k *keyed) useEveryWay(found readable) {
	for _, key := range secretKeys {
		for way, authorize := range map[string]func(r *http.Request, secret string){
			"bearer":    func(r *http.Request, secret string) { r.Header.Set("Authorization", "Bearer "+secret) },
			"basic":     func(r *http.Request, secret string) { r.SetBasicAuth(key.Name, secret) },
			"x-api-key": func(r *http.Request, secret string) { r.Header.Set("X-Api-Key", secret) },
		} {
			for suffix, wants := range map[string][2]int{"": {200, 400}, "x": {401, 401}} {
				with := func(r *http.Request) { authorize(r, key.Key+suffix) }
				status, good := k.ask(http.MethodPost, appliance.PathChat, shortChat, with)
				assert.Equal(k.t, wants[0], status, way)
				status, bad := k.ask(http.MethodPost, appliance.PathMessages, "{", with)
				assert.Equal(k.t, wants[1], status, way)
				found["answers to "+key.Name+suffix+" as "+way] = good + bad
			}
		}
	}
}

// readable is what others than root may read of a machine and its processes, by where it is.
type readable map[string]string

func (r readable) logs(k *keyed) {
	for _, name := range []string{"journal", "access.log", "error.log"} {
		r[name] = readFile(k.t, filepath.Join(k.logs, name))
		assert.NotEmpty(k.t, r[name], name)
	}
	r[appliance.LogFile] = k.read(appliance.LogFile)
}

func (r readable) processes(k *keyed) {
	first := strings.TrimSpace(readFile(k.t, filepath.Join(k.nginx.Dir, "pid")))
	workers := strings.Fields(readFile(k.t, fmt.Sprintf("/proc/%[1]s/task/%[1]s/children", first)))
	require.NotEmpty(k.t, workers)
	for _, pid := range append(workers, first, strconv.Itoa(k.process.Process.Pid)) {
		for _, file := range []string{"cmdline", "environ"} {
			path := filepath.Join("/proc", pid, file)
			r[path] = readFile(k.t, path)
		}
	}
}

// files adds those that everybody may read, and returns how many of the others have the key as it is.
func (r readable) files(k *keyed, key string) (secret int) {
	for path, s := range k.snapshot() {
		switch {
		case path == "/mnt/context.sh": // the test has written it
		case s.mode.IsRegular() && s.mode.Perm()&0o007 == 0:
			secret += strings.Count(s.content, key)
		default:
			r[path] = s.content
		}
	}
	return secret
}

// commands adds what commands of the agent say, and looks for the text that each must show.
func (r readable) commands(k *keyed, commands map[string]string) {
	for command, want := range commands {
		_, stdout, stderr := k.run(strings.Fields(command)...)
		assert.Contains(k.t, stdout, want)
		r["slm-copilot "+command] = stdout + stderr
	}
}

// All that runs on a machine with keys, used in every way, with faults: no key is in a log, in an answer, in
// numbers, in an argument or an environment, or in a file for everybody.
func TestNoKeyCanBeRead(t *testing.T) {
	k, found := newKeyed(t), readable{}
	k.useEveryWay(found)
	alice := func(r *http.Request) { r.Header.Set("X-Api-Key", secretKeys[0].Key) }
	k.loseEngine()
	status, _ := k.ask(http.MethodPost, appliance.PathChat, shortChat, alice)
	assert.Equal(t, http.StatusServiceUnavailable, status, "which is logged")
	status, found["the numbers"] = k.ask(http.MethodGet, appliance.PathMetrics, "", alice)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, found["the numbers"], `key="alice"`)

	next := k.context(map[string]string{appliance.VarKeys: "alice:k7Ge9wQz-2mXx, ci:tractor-lemon-37, bob:x9passwordq2w"})
	found.commands(k, map[string]string{
		"status": "alice, ci\n", "report": "keys = alice, ci\n", "configure --dry-run --context " + next: `***$" bob;`,
	})
	found.logs(k)
	assert.Contains(t, found["access.log"], `"POST /v1/chat/completions HTTP/1.1" 200`)
	found.processes(k)
	assert.Equal(t, 1, found.files(k, secretKeys[0].Key), "in the copy of the context, besides the escaped one of nginx's file")
	assert.NotContains(t, found, appliance.NginxKeys)
	assert.NotContains(t, found, vmcontext.LastGood)
	found.holdNone(t)
}

// holdNone looks for keys, as they are and as they are written elsewhere.
func (r readable) holdNone(t *testing.T) {
	t.Helper()
	assert.Greater(t, len(r), 40)
	for _, key := range secretKeys {
		var escaped bytes.Buffer
		for _, b := range []byte(key.Key) {
			fmt.Fprintf(&escaped, `\x%02x`, b)
		}
		encode := base64.StdEncoding.EncodeToString
		for _, form := range []string{key.Key, escaped.String(), encode([]byte(key.Name + ":" + key.Key)), encode([]byte(key.Key))} {
			for where, text := range r {
				assert.NotContains(t, text, form, where)
			}
		}
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
