package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/nginx"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

// A key says who asks, so it cannot be everybody's password.
func TestAKeyThatIsTheGeneratedPasswordTakesItAway(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	generated := strings.TrimSpace(v.read(appliance.PasswordFile))
	v.configure(map[string]string{appliance.VarKeys: "alice:" + generated})
	another := v.read(appliance.PasswordFile)
	assert.Regexp(t, `^[A-Za-z0-9]{16}\n$`, another)
	assert.NotEqual(t, generated+"\n", another)
	assert.Equal(t, another, nginx.PasswordInUse([]byte(v.read(appliance.NginxSite)))+"\n")
	v.configure(nil)
	assert.Equal(t, another, v.read(appliance.PasswordFile), "it stays")
}

// A machine that is ready stays so while its keys change.
func TestKeysChangeNothingElse(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	v.serve()
	code, _, stderr := v.run("bootstrap", "--timeout", "1m")
	require.Zero(t, code, stderr)
	for _, step := range []struct{ keys, names string }{
		{"alice:k7Ge9wQz2mXx, ci:tractor-lemon-37", "alice, ci"}, {"ci:tractor-lemon-37", "ci"}, {"", ""},
	} {
		v.configure(map[string]string{appliance.VarKeys: step.keys})
		assert.NotContains(t, v.units.calls, restartBootstrap)
		assert.Equal(t, appliance.BootstrapSuccess+"\n", v.read(appliance.StatusFile))
		for what, want := range map[string]string{"report": "\nkeys = " + step.names + "\n", "status": "\nkeys:        " + step.names + "\n"} {
			code, stdout, _ := v.run(what)
			assert.Zero(t, code)
			assert.Equal(t, step.names != "", strings.Contains(stdout, want), "%s: %s", step.keys, stdout)
			assert.NotContains(t, stdout, "keys = \n")
		}
		assert.Equal(t, strings.Count(step.names, "alice"), strings.Count(v.read(appliance.ReportFile), "alice"), "the file is up to date")
		info, err := os.Stat(filepath.Join(v.root, appliance.NginxKeys))
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o640), info.Mode())
	}
}

// client trusts the machine's own root alone.
func (v *vm) client() *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(parseBlock(v.t, v.read(appliance.CACert)))
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
}

// readable is what others than root can read of a machine and of its processes, by where it is.
type readable map[string]string

func (r readable) process(t *testing.T, pid string) {
	t.Helper()
	for _, file := range []string{"cmdline", "environ"} {
		path := filepath.Join("/proc", pid, file)
		r[path] = readFile(t, path)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// tapped is a site that logs as nginx does on Debian, and more.
func tapped(site nginx.Site, dir string) []byte {
	text := strings.ReplaceAll(string(site.Render()), "server_name _;", "server_name _;\n    access_log "+dir+"/access.log combined;")
	return []byte("error_log " + dir + "/error.log info;\n" + text)
}

// All that runs with keys, used in every way, with faults: no key is in a log, in numbers, in an argument or an
// environment, or in a file for everybody.
func TestNoKeyCanBeRead(t *testing.T) {
	keys := []appliance.NamedKey{{Name: "alice", Key: "k7Ge9wQz-2mXx"}, {Name: "ci", Key: "tractor-lemon-37"}}
	const password = "harbour-violin-58"
	v := newVM(t)
	v.configure(map[string]string{appliance.VarPassword: password, appliance.VarKeys: "alice:k7Ge9wQz-2mXx, ci:tractor-lemon-37", "ETH0_IP": "127.0.0.1"})

	g := newGateway(t, buildAgent(t), slowEngine(t, 0).Address)
	config, err := gateway.ParseConfig([]byte(v.read(appliance.GatewayConfigFile)))
	require.NoError(t, err)
	assert.Equal(t, []string{"alice", "ci"}, config.Keys)
	engine, err := gateway.ParseConfig([]byte(readFile(t, filepath.Join(g.root, appliance.GatewayConfigFile))))
	require.NoError(t, err)
	config.Engine, g.root = engine.Engine, v.root
	v.put(appliance.GatewayConfigFile, string(config.Render()))
	logs := t.TempDir()
	journal, err := os.Create(filepath.Join(logs, "journal"))
	require.NoError(t, err)
	defer journal.Close()
	g.stderr = journal
	process := g.start(t)

	secure := nginxtest.FreeAddress(t)
	path := func(p string) string { return filepath.Join(v.root, p) }
	server := nginxtest.Run(t, tapped(nginx.Site{
		HTTPListen: []string{nginxtest.FreeAddress(t)}, HTTPSListen: []string{secure}, Upstream: "unix:" + g.path,
		Certificate: path(appliance.ServerCert), Key: path(appliance.ServerKey), WebRoot: path(appliance.WebRoot),
		ReloadingFile: path(appliance.ReloadingFile), Password: password, Keys: keys,
	}, logs), secure)
	client := v.client()
	ask := func(method, where, body string, credentials func(*http.Request)) (status int, text string) {
		request, err := http.NewRequest(method, "https://"+secure+where, strings.NewReader(body))
		require.NoError(t, err)
		credentials(request)
		response, err := client.Do(request)
		require.NoError(t, err)
		text = g.read(t, response, nil)
		return response.StatusCode, text
	}
	const chat = `{"messages":[{"role":"user","content":"Hello"}],"max_tokens":3,"stream":true}`
	found := readable{}
	for _, key := range keys {
		for name, send := range map[string]func(r *http.Request, key string){
			"bearer": func(r *http.Request, key string) { r.Header.Set("Authorization", "Bearer "+key) },
			"basic":  func(r *http.Request, secret string) { r.SetBasicAuth(key.Name, secret) },
			"x":      func(r *http.Request, key string) { r.Header.Set("X-Api-Key", key) },
		} {
			for suffix, wants := range map[string][2]int{"": {200, 400}, "x": {401, 401}} {
				status, text := ask(http.MethodPost, appliance.PathChat, chat, func(r *http.Request) { send(r, key.Key+suffix) })
				assert.Equal(t, wants[0], status, name)
				found["the answer to "+name+key.Name+suffix] = text
				status, text = ask(http.MethodPost, appliance.PathMessages, "{", func(r *http.Request) { send(r, key.Key+suffix) })
				assert.Equal(t, wants[1], status, name)
				found["the refusal of "+name+key.Name+suffix] = text
			}
		}
	}
	// An engine that is not there is logged.
	config.Engine = nginxtest.FreeAddress(t)
	v.put(appliance.GatewayConfigFile, string(config.Render()))
	require.NoError(t, process.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool {
		status, _ := ask(http.MethodGet, appliance.PathReadyz, "", func(*http.Request) {})
		return status == http.StatusServiceUnavailable
	}, time.Minute, 10*time.Millisecond)
	status, _ := ask(http.MethodPost, appliance.PathChat, chat, func(r *http.Request) { r.Header.Set("X-Api-Key", keys[0].Key) })
	assert.Equal(t, http.StatusServiceUnavailable, status)
	status, found["the numbers"] = ask(http.MethodGet, appliance.PathMetrics, "", func(r *http.Request) { r.Header.Set("X-Api-Key", keys[0].Key) })
	assert.Equal(t, http.StatusOK, status)

	file := v.context(map[string]string{appliance.VarKeys: "alice:k7Ge9wQz-2mXx, ci:tractor-lemon-37, bob:x9passwordq2w"})
	for command, want := range map[string]string{
		"status": "alice, ci\n", "report": "keys = alice, ci\n", "configure --dry-run --context " + file: `***$" bob;`,
	} {
		_, stdout, stderr := v.run(strings.Fields(command)...)
		assert.Contains(t, stdout, want)
		found["slm-copilot "+command] = stdout + stderr
	}
	assert.Contains(t, found["the numbers"], `key="alice"`)
	for _, name := range []string{"journal", "access.log", "error.log"} {
		found[name] = readFile(t, filepath.Join(logs, name))
		assert.NotEmpty(t, found[name], name)
	}
	assert.Contains(t, found["access.log"], `"POST /v1/chat/completions HTTP/1.1" 200`)
	master := strings.TrimSpace(readFile(t, filepath.Join(server.Dir, "pid")))
	workers := strings.Fields(readFile(t, fmt.Sprintf("/proc/%[1]s/task/%[1]s/children", master)))
	require.NotEmpty(t, workers)
	for _, pid := range append(workers, master, strconv.Itoa(process.Process.Pid)) {
		found.process(t, pid)
	}
	secret := 0
	for path, s := range v.snapshot() {
		if s.mode.IsRegular() && s.mode.Perm()&0o007 == 0 {
			secret += strings.Count(s.content, keys[0].Key)
			continue
		}
		found[path] = s.content
	}
	found[appliance.LogFile] = v.read(appliance.LogFile)
	delete(found, "/mnt/context.sh") // the test has written it
	assert.Equal(t, 1, secret, "in the copy of the context alone, besides nginx's site")
	found.holdNone(t, keys)
	for _, path := range []string{appliance.NginxSite, vmcontext.LastGood} {
		info, err := os.Stat(filepath.Join(v.root, path))
		require.NoError(t, err)
		assert.Zero(t, info.Mode()&fs.FileMode(0o007), path)
	}
}

// holdNone looks for keys, as they are and as they are written elsewhere.
func (r readable) holdNone(t *testing.T, keys []appliance.NamedKey) {
	t.Helper()
	assert.Greater(t, len(r), 40)
	for _, key := range keys {
		var escaped bytes.Buffer
		for _, b := range []byte(key.Key) {
			fmt.Fprintf(&escaped, `\x%02x`, b)
		}
		for _, form := range []string{key.Key, escaped.String(), base64.StdEncoding.EncodeToString([]byte(key.Name + ":" + key.Key)), base64.StdEncoding.EncodeToString([]byte(key.Key))} {
			for where, text := range r {
				assert.NotContains(t, text, form, where)
			}
		}
	}
}
