package demo_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/acmetest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

const (
	domain   = "copilot.example.org"
	password = `p"a'$HOME\w{x}#1`
)

// testInside checks a running machine from within: the sandbox of its units, their logs and
// status, and how they recover from faults.
func testInside(t *testing.T, made demo) {
	t.Parallel()
	gate := newOneGate(t)
	challenges, passOn := relay(t)
	authority := acmetest.New(t, challenges)
	authority.Start()
	g := bootGuest(t, made, map[string]string{
		"TOKEN": "YES", "REPORT_READY": "YES", appliance.VarOneGateEndpoint: fromGuest(t, gate.URL),
		appliance.VarPassword: password, appliance.VarKeys: "alice:harbour-violin-58", appliance.VarDomain: domain, appliance.VarContextSize: "2048",
		appliance.VarACMEDirectory: fromGuest(t, authority.Directory), appliance.VarACMECA: string(authority.CA),
	})
	passOn(g.vm.Address(appliance.HTTPPort))
	g.connect()
	g.becomes(appliance.BootstrapSuccess)

	for _, step := range []struct {
		name string
		test func(*guest)
	}{
		{"OneGate was told", func(g *guest) { g.assertTold(gate) }},
		{"the ACME server's certificate is served", func(g *guest) { g.assertServed(authority.Root()) }},
		{"certbot renews it", func(g *guest) { g.assertRenewed(authority.Root()) }},
		{"the units are sandboxed", (*guest).assertSandboxed},
		{"nginx takes many connections", (*guest).assertConnections},
		{"nothing else listens", (*guest).assertPorts},
		{"the context comes first", (*guest).assertOrder},
		{"no secret can be read", (*guest).assertNoSecrets},
		{"the same context again changes nothing", (*guest).assertNothingChanges},
		{"another context reaches the engine", (*guest).changeContext},
		{"another model is chosen", (*guest).chooseModel},
		{"the backend is killed", (*guest).killBackend},
		{"the engine is killed", (*guest).killEngine},
		{"the gateway is killed", (*guest).killGateway},
		{"readiness is lost, and returns", func(g *guest) { g.loseReadiness(gate) }},
		{"the disk is full", (*guest).fillDisk},
		{"/etc is read-only", (*guest).freezeEtc},
		{"the model is missing, then damaged", (*guest).spoilModel},
		{"three reboots", func(g *guest) { g.rebootThreeTimes(gate) }},
	} {
		t.Run(step.name, func(t *testing.T) { g.t = t; step.test(g) })
	}
	g.t = t
	if t.Failed() {
		t.Log(g.try("systemctl --no-pager --failed; cat " + appliance.LogFile + "; journalctl -b --no-pager -n 1000 | grep -v 'sudo\\[\\|sshd\\['"))
	}
}

func (g *guest) assertTold(gate *oneGate) {
	told := gate.told()
	assert.True(g.t, strings.HasPrefix(told, "data=READY=NO"), told)
	assert.Contains(g.t, told, "READY=YES")
	assert.Contains(g.t, told, "ONEAPP_COPILOT_ENDPOINT=https://"+domain+"/v1")
	assert.NotContains(g.t, told, password)
}

// served returns the certificate from a TLS handshake that trusts only root.
func (g *guest) served(root *x509.Certificate) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	roots.AddCert(root)
	connection, err := tls.Dial("tcp", g.vm.Address(appliance.HTTPSPort), &tls.Config{RootCAs: roots, ServerName: domain})
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0], nil
}

func (g *guest) assertServed(root *x509.Certificate) {
	leaf, err := g.served(root)
	require.NoError(g.t, err)
	report := g.run("cat " + appliance.ReportFile)
	assert.Contains(g.t, report, leaf.NotAfter.UTC().Format(time.RFC3339))
	assert.Equal(g.t, "600 root", g.run("stat -c '%a %U' "+appliance.ReportFile))
	assert.Contains(g.t, g.run("cat "+appliance.MOTDFile), appliance.ReadyPhrase)
}

// assertRenewed makes certbot renew the way its timer does, trusting the ACME server
// through the same file, and waits until nginx serves the new certificate.
func (g *guest) assertRenewed(root *x509.Certificate) {
	g.run("systemctl is-active certbot.timer " + appliance.CertificateTimer)
	before, err := g.served(root)
	require.NoError(g.t, err)
	g.run("set -a; . " + appliance.CertbotEnvFile + "; certbot -q renew --force-renewal --no-random-sleep-on-renew")
	g.eventually("the renewed certificate", func() error {
		now, err := g.served(root)
		if err == nil && now.Equal(before) {
			err = errors.New("still the one before")
		}
		return err
	})
	assert.Equal(g.t, appliance.BootstrapSuccess, g.status())
}

func (g *guest) assertSandboxed() {
	assert.Empty(g.t, g.run("systemctl --failed --no-legend --plain"))
	out, err := g.try("systemd-analyze security --no-pager --threshold=25 " + appliance.LocalAIUnit)
	assert.NoError(g.t, err)
	g.t.Log(out[strings.LastIndex(out, "\n")+1:])
	assert.Equal(g.t, appliance.ServiceUser, g.run("ps -o user= -p $(systemctl show -P MainPID "+appliance.LocalAIUnit+")"))
	_, err = g.try("systemd-analyze security --no-pager --threshold=20 " + appliance.GatewayUnit)
	assert.NoError(g.t, err)
	assert.Equal(g.t, appliance.GatewayUser, g.run("ps -o user:32= -p $(systemctl show -P MainPID "+appliance.GatewayUnit+")"))
	assert.Equal(g.t, "root "+appliance.ProxyGroup+" 660", g.run("stat -c '%U %G %a' "+appliance.GatewaySocket))
}

// assertConnections: more slow clients than this take the API away from the others.
func (g *guest) assertConnections() {
	assert.Contains(g.t, g.run("grep worker_connections /etc/nginx/nginx.conf"), fmt.Sprint(appliance.NginxConnections))
	assert.Contains(g.t, g.run("grep 'open files' /proc/$(pgrep -f 'nginx: worker' | head -n 1)/limits"), fmt.Sprint(appliance.NginxOpenFiles))
}

func (g *guest) assertPorts() {
	open := map[string]bool{}
	for line := range strings.Lines(g.run("ss -Htln")) {
		local := strings.Fields(line)[3]
		if strings.HasPrefix(local, "127.") || strings.HasPrefix(local, "[::1]") {
			continue
		}
		open[local[strings.LastIndex(local, ":")+1:]] = true
	}
	// systemd-resolved speaks LLMNR on 5355; it belongs to the base image.
	delete(open, "5355")
	assert.Equal(g.t, map[string]bool{"22": true, "80": true, "443": true}, open)
}

// assertOrder checks that no unit starts before configure has finished, because it would
// read the files of the previous boot.
func (g *guest) assertOrder() {
	since := func(unit, property string) string {
		return g.run("systemctl show -P " + property + " " + unit)
	}
	configured := since(appliance.ConfigureUnit, "ActiveEnterTimestampMonotonic")
	for _, unit := range []string{appliance.NginxUnit, appliance.LocalAIUnit, appliance.GatewayUnit, appliance.BootstrapUnit} {
		started := since(unit, "InactiveExitTimestampMonotonic")
		assert.Less(g.t, fmt.Sprintf("%020s", configured), fmt.Sprintf("%020s", started), unit)
	}
}

// assertNoSecrets searches the places that other users and readers of logs can see.
func (g *guest) assertNoSecrets() {
	found, err := g.try(`secrets=$(mktemp); trap 'rm -f "$secrets"' EXIT
		cat /var/lib/slm-copilot/password /var/lib/slm-copilot/engine-key /var/lib/slm-copilot/token.txt > "$secrets"
		sed -n 's/^-----.*//; /^MI/p' /etc/slm-copilot/tls/ca.key >> "$secrets"
		sed -n "s/^ONEAPP_COPILOT_KEYS='alice:\(.*\)'\$/\1/p" /var/lib/slm-copilot/context.sh >> "$secrets"
		sed -i '/^$/d' "$secrets"; [ "$(wc -l < "$secrets")" -ge 5 ]
		journalctl -b --no-pager | grep -qFf "$secrets" && echo the journal
		find /var/log -type f -not -path '/var/log/journal/*' -exec grep -lFf "$secrets" {} + || true
		for process in /proc/[0-9]*; do
			tr '\0' '\n' < "$process/cmdline" 2>/dev/null | grep -qFf "$secrets" && echo "the command line of $process"
			user=$(stat -c %U "$process" 2>/dev/null || true)
			[ "$user" = localai ] || { tr '\0' '\n' < "$process/environ" 2>/dev/null | grep -qFf "$secrets" && echo "the environment of $process $(tr '\0' ' ' < "$process/cmdline")"; }
		done
		find / -xdev -type f -perm /o=r -size -2048k -not -path '/usr/*' -not -path '/proc/*' -not -path '/sys/*' -exec grep -lFf "$secrets" {} + || true
		find /run /tmp /dev/shm -type f -perm /o=r -size -2048k -exec grep -lFf "$secrets" {} + 2>/dev/null || true`)
	require.NoError(g.t, err)
	assert.Empty(g.t, found)
}

func (g *guest) assertNothingChanges() {
	before := g.files() + g.starts()
	g.run(appliance.AgentPath + " configure; " + appliance.AgentPath + " configure")
	assert.Equal(g.t, before, g.files()+g.starts())
}

// starts returns a text that changes when a unit is started or reloaded.
func (g *guest) starts() string {
	return g.run("systemctl show -p Id,InvocationID,ExecMainStartTimestampMonotonic,StateChangeTimestampMonotonic " +
		strings.Join([]string{appliance.LocalAIUnit, appliance.GatewayUnit, appliance.NginxUnit, appliance.BootstrapUnit}, " "))
}

// ask sends one request to the default model; the response may be an error from nginx.
func (g *guest) ask(ctx context.Context) (status int, body string, err error) {
	return g.call(ctx, http.MethodPost, appliance.PathChat, chatWith(appliance.ModelID))
}

func chatWith(model string) string {
	return `{"model":"` + model + `","max_tokens":2,"messages":[{"role":"user","content":"Hello"}]}`
}

func (g *guest) call(ctx context.Context, method, path, content string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, "https://"+g.vm.Address(appliance.HTTPSPort)+path, strings.NewReader(content))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", "Bearer "+password)
	request.Header.Set("Content-Type", "application/json")
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the certificate is not under test here
	}}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// answers waits until the model responds, and returns the status codes before that.
func (g *guest) answers() (before []int) {
	g.t.Helper()
	g.eventually("an answer of the model", func() error {
		status, body, err := g.ask(g.t.Context())
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			before = append(before, status)
			return fmt.Errorf("HTTP %d: %s", status, body)
		}
		return nil
	})
	return before
}

func (g *guest) enginePID() string {
	return g.run("systemctl show -P MainPID " + appliance.LocalAIUnit)
}

// killBackend kills the backend. On its own, LocalAI would answer 500 for half a minute.
func (g *guest) killBackend() {
	engine := g.enginePID()
	g.run(`main=` + engine + `; killed=
		for process in $(cat /sys/fs/cgroup/system.slice/local-ai.service/cgroup.procs); do
			[ "$process" = "$main" ] || { kill -9 "$process"; killed=yes; }
		done; [ -n "$killed" ]`)
	before := g.answers()
	for i, status := range before {
		// The first request may arrive before the watch has noticed.
		assert.True(g.t, status == http.StatusServiceUnavailable || i == 0, "answers before the model came back: %v", before)
	}
	assert.Equal(g.t, engine, g.enginePID(), "LocalAI itself went on")
	assert.Contains(g.t, g.run("tail -n 20 "+appliance.LogFile), "watch:")
	g.becomes(appliance.BootstrapSuccess) // on a slow host the loss may have been noticed
}

func (g *guest) killEngine() {
	engine := g.enginePID()
	g.run("kill -9 " + engine)
	for _, status := range g.answers() {
		assert.Equal(g.t, http.StatusServiceUnavailable, status)
	}
	assert.NotEqual(g.t, engine, g.enginePID())
}

// killGateway kills the gateway. The next request waits in its socket, and is answered.
func (g *guest) killGateway() {
	const pid = "systemctl show -P MainPID " + appliance.GatewayUnit
	killed := g.run(pid)
	g.run("kill -9 " + killed)
	status, body, err := g.ask(g.t.Context())
	require.NoError(g.t, err)
	assert.Equal(g.t, http.StatusOK, status, body)
	assert.NotEqual(g.t, killed, g.run(pid))
}

// loseReadiness stops the engine. Everybody who may ask must learn it, and that it is back.
func (g *guest) loseReadiness(gate *oneGate) {
	g.becomes(appliance.BootstrapSuccess)
	gate.forget()
	g.run("systemctl stop " + appliance.LocalAIUnit)
	_, err := g.try("slm-copilot status")
	assert.ErrorContains(g.t, err, "not ready")
	g.eventually("READY=NO", func() error {
		if told := gate.told(); !strings.Contains(told, "READY=NO") {
			return errors.New("told so far: " + told)
		}
		return nil
	})
	assert.NotContains(g.t, g.run("cat "+appliance.MOTDFile), appliance.ReadyPhrase)
	gate.forget()
	g.run("systemctl start " + appliance.LocalAIUnit)
	g.eventually("READY=YES", func() error {
		if told := gate.told(); !strings.Contains(told, "READY=YES") {
			return errors.New("told so far: " + told)
		}
		return nil
	})
	g.becomes(appliance.BootstrapSuccess)
	g.run("slm-copilot status")
}

// otherContext writes a context that would change several files.
const otherContext = `umask 077; sed "s/CONTEXT_SIZE='2048'/CONTEXT_SIZE='1024'/" /var/lib/slm-copilot/context.sh > /run/other-context.sh`

func (g *guest) changeContext() {
	told := func() string {
		return g.run("tr '\\0' '\\n' < /proc/" + g.enginePID() + "/environ | grep LOCALAI_CONTEXT_SIZE")
	}
	require.Equal(g.t, "LOCALAI_CONTEXT_SIZE=2048", told())
	before := g.files()
	g.run(otherContext + "; slm-copilot configure --context /run/other-context.sh")
	g.becomes(appliance.BootstrapSuccess)
	assert.Equal(g.t, "LOCALAI_CONTEXT_SIZE=1024", told())
	g.run("slm-copilot configure")
	g.becomes(appliance.BootstrapSuccess)
	assert.Equal(g.t, "LOCALAI_CONTEXT_SIZE=2048", told())
	assert.Equal(g.t, before, g.files())
}

// otherModel is the id of the second model of the demonstration.
const otherModel = "other"

// chooseModel has the other model served for a while.
func (g *guest) chooseModel() {
	before := g.files()
	g.run("umask 077; (cat /var/lib/slm-copilot/context.sh; echo \"" + appliance.VarModel + "='" + otherModel + "'\") > /run/other-model.sh; " +
		appliance.AgentPath + " configure --context /run/other-model.sh")
	g.becomes(appliance.BootstrapSuccess)
	status, models, err := g.call(g.t.Context(), http.MethodGet, appliance.PathModels, "")
	require.NoError(g.t, err)
	assert.Equal(g.t, http.StatusOK, status)
	assert.Contains(g.t, models, `"`+otherModel+`"`)
	assert.NotContains(g.t, models, appliance.ModelID)
	status, body, err := g.call(g.t.Context(), http.MethodPost, appliance.PathChat, chatWith(otherModel))
	require.NoError(g.t, err)
	assert.Equal(g.t, http.StatusOK, status, body)
	status, body, err = g.ask(g.t.Context())
	require.NoError(g.t, err)
	assert.Equal(g.t, http.StatusNotFound, status, body)
	assert.Contains(g.t, body, otherModel, "the error says which model is here")

	g.run(appliance.AgentPath + " configure")
	g.becomes(appliance.BootstrapSuccess)
	g.answers()
	assert.Equal(g.t, before, g.files())
}

func (g *guest) fillDisk() {
	before := g.files()
	out, err := g.try(otherContext + `
		mkdir /var/lib/slm-copilot-ballast; trap 'rm -r /var/lib/slm-copilot-ballast' EXIT
		for size in 4G 2G 1G 512M 256M 128M 64M 32M 16M 8M 4M 2M 1M 512K 256K 128K 64K 32K 16K 8K 4K 4K 4K; do
			fallocate -l $size "$(mktemp /var/lib/slm-copilot-ballast/XXXXXX)" 2>/dev/null || true
		done
		dd if=/dev/zero of=/var/lib/slm-copilot-ballast/rest bs=512 2>/dev/null || true
		slm-copilot configure --context /run/other-context.sh 2>&1 && exit 9; true`)
	require.NoError(g.t, err)
	assert.Contains(g.t, out, "no space left on device")
	assert.Equal(g.t, withoutStatus(before), withoutStatus(g.files()), "nothing is half-written")
	g.answers()
	g.run("slm-copilot configure")
	g.becomes(appliance.BootstrapSuccess)
	assert.Equal(g.t, before, g.files())
}

func (g *guest) freezeEtc() {
	before := g.files()
	out, err := g.try(otherContext + `
		mount --bind /etc /etc; mount -o remount,ro,bind /etc; trap 'umount /etc' EXIT
		slm-copilot configure --context /run/other-context.sh 2>&1 && exit 9; true`)
	require.NoError(g.t, err)
	assert.Contains(g.t, out, "read-only file system")
	assert.Equal(g.t, withoutStatus(before), withoutStatus(g.files()))
	_, err = g.try("slm-copilot status")
	assert.ErrorContains(g.t, err, "read-only file system", "what could be written says so")
	g.answers()
	g.run("slm-copilot configure")
	g.becomes(appliance.BootstrapSuccess)
	assert.Equal(g.t, before, g.files())
}

// withoutStatus removes the files that are supposed to change after a failure.
func withoutStatus(files string) string {
	var kept []string
	skip := false
	for line := range strings.Lines(files) {
		switch {
		case strings.Contains(line, "etc/one-appliance/"), strings.Contains(line, "etc/motd"):
			skip = true // skip the line with its mode too
		case skip:
			skip = false
		default:
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func (g *guest) spoilModel() {
	const model = appliance.ModelsDir + "/" + appliance.ModelFile
	for name, spoil := range map[string]string{
		"missing": "true", "cut short": "head -c 100000 /opt/model.good > " + model, "no model": "echo hello > " + model,
	} {
		g.run("mv " + model + " /opt/model.good; " + spoil + "; systemctl restart " + appliance.LocalAIUnit + " || true")
		g.eventually("the engine to stay down, model "+name, func() error {
			if state := g.run("systemctl show -P ActiveState " + appliance.LocalAIUnit); state != "inactive" {
				return fmt.Errorf("it is %s", state)
			}
			return nil
		})
		assert.Equal(g.t, "0", g.run("systemctl show -P NRestarts "+appliance.LocalAIUnit), "no crash loop")
		assert.Contains(g.t, g.run("journalctl -b --no-pager -n 20 -u "+appliance.LocalAIUnit), "the engine is not started")
		status, _, err := g.ask(g.t.Context())
		require.NoError(g.t, err)
		assert.Equal(g.t, http.StatusServiceUnavailable, status)
		_, err = g.try("slm-copilot configure 2>&1")
		assert.ErrorContains(g.t, err, "model.gguf", name)
		assert.Equal(g.t, appliance.ConfigureFailure, g.status())
		g.run("mv /opt/model.good " + model + "; slm-copilot configure; systemctl start " + appliance.LocalAIUnit)
		g.answers()
		g.becomes(appliance.BootstrapSuccess)
	}
}

func (g *guest) rebootThreeTimes(gate *oneGate) {
	before := g.files()
	for range 3 {
		gate.forget()
		g.reboot()
		g.eventually("READY=YES", func() error {
			if told := gate.told(); !strings.Contains(told, "READY=YES") {
				return errors.New("told so far: " + told)
			}
			return nil
		})
		g.becomes(appliance.BootstrapSuccess)
		assert.Equal(g.t, before, g.files())
	}
}

// testRefused boots with invalid values: the machine must report them in every place where
// people may look, and must work once they are corrected.
func testRefused(t *testing.T, made demo) {
	t.Parallel()
	g := bootGuest(t, made, map[string]string{
		appliance.VarPassword: password, appliance.VarThreads: "many", appliance.VarDomain: "a b",
	})
	g.connect()
	g.becomes(appliance.ConfigureFailure)
	g.eventually("the page that says so", func() error {
		status, body, err := g.ask(t.Context())
		if err == nil && (status != http.StatusServiceUnavailable || !strings.Contains(body, "slm-copilot status")) {
			err = fmt.Errorf("HTTP %d: %s", status, body)
		}
		return err
	})
	shown, err := g.try("slm-copilot status")
	require.Error(t, err)
	for _, text := range []string{shown + err.Error(), g.run("cat " + appliance.MOTDFile), g.run("cat " + appliance.LogFile)} {
		assert.Contains(t, text, appliance.VarThreads)
		assert.Contains(t, text, appliance.VarDomain)
		assert.NotContains(t, text, password)
	}
	assert.Equal(t, "inactive", g.run("systemctl show -P ActiveState "+appliance.LocalAIUnit))
	assert.Empty(t, g.run("systemctl --failed --no-legend --plain | grep -v "+appliance.ConfigureUnit+" || true"))

	g.run(`umask 077; printf '%s\n' "ONEAPP_COPILOT_PASSWORD='the-new-password'" > /run/good-context.sh
		slm-copilot configure --context /run/good-context.sh`)
	g.becomes(appliance.BootstrapSuccess)
	assert.Contains(t, g.run("cat "+appliance.ReportFile), "the-new-password")
}
