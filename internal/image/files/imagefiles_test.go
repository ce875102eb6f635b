package files

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

func TestFilesAreAsAgreed(t *testing.T) {
	for _, file := range all() {
		// A module must not hold a file with a backslash in its name.
		golden := filepath.Join("testdata", strings.ReplaceAll(filepath.Base(file.Path), `\`, "_"))
		goldentest.Equal(t, golden, file.Content, file.Path)
	}
}

func all() []File { return append(Files(), ModelDiskFiles()...) }

// systemd mounts nothing for a unit whose name is not that of the place.
func TestModelMountIsNamedForItsPlace(t *testing.T) {
	out, err := exec.Command("systemd-escape", "--path", "--suffix=mount", appliance.ModelsDir).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, ModelMountUnit, strings.TrimSpace(string(out)))
}

// systemd itself judges the units. The programs they start and the units they name are
// stand-ins below a root of the test's own.
func TestSystemdAcceptsTheUnits(t *testing.T) {
	verify, err := exec.LookPath("systemd-analyze")
	require.NoError(t, err, "systemd-analyze is missing: run make setup")
	root := t.TempDir()
	install(t, root, File{appliance.AgentPath, 0o755, []byte("#!/bin/sh\n")})
	for _, program := range []string{"/usr/bin/udevadm", "/bin/kill"} {
		install(t, root, File{program, 0o755, []byte("#!/bin/sh\n")})
	}
	for _, unit := range []string{appliance.LocalAIUnit, appliance.NginxUnit} {
		install(t, root, File{appliance.UnitDir + "/" + unit, 0o644, []byte("[Service]\nExecStart=" + appliance.AgentPath + "\n")})
	}
	for _, target := range []string{"sysinit", "basic", "local-fs", "umount", "network-online", "multi-user", "timers", "sockets", "shutdown"} {
		install(t, root, File{appliance.UnitDir + "/" + target + ".target", 0o644, []byte("[Unit]\n")})
	}
	for _, file := range all() {
		install(t, root, file)
	}
	arguments := []string{"--root=" + root, "verify"}
	for _, unit := range units() {
		arguments = append(arguments, filepath.Base(unit.Path))
	}
	out, err := exec.Command(verify, arguments...).CombinedOutput()
	assert.NoError(t, err, string(out))
	for line := range strings.Lines(string(out)) {
		assert.NotContains(t, line, appliance.Name, "systemd complains")
	}
}

// units are the unit files among the files.
func units() []File {
	return slices.DeleteFunc(all(), func(f File) bool { return filepath.Dir(f.Path) != appliance.UnitDir })
}

// Each of these settings is there because something goes wrong without it, and neither
// systemd nor a boot that goes well would show that it is gone.
func TestSettingsThatMatterWhenSomethingGoesWrong(t *testing.T) {
	for _, unit := range []struct {
		name     string
		settings []setting
	}{
		{appliance.ConfigureUnit, []setting{
			{"Service", "Type", "oneshot", "what is ordered after it waits until it is done"},
			{"Service", "RemainAfterExit", "yes", "it is not started again by whatever wants it"},
			{"Service", "ExecStartPre", "-/usr/bin/udevadm settle --timeout=30", "the link to the CONTEXT medium is there, and a device that hangs is no obstacle"},
			{"Service", "TimeoutStartSec", "300", "the boot does not wait for ever"},
			{"Service", "ExecStart", appliance.AgentPath + " configure", ""},
			{"Unit", "Wants", "network-online.target", "the addresses are known"},
			{"Unit", "After", "local-fs.target network-online.target cloud-init.service cloud-init-network.service", "the context may be of cloud-init"},
			{"Install", "WantedBy", "multi-user.target", ""},
		}},
		{appliance.BootstrapUnit, []setting{
			{"Service", "Type", "exec", "the boot does not wait for the model"},
			{"Service", "RemainAfterExit", "yes", "a machine that is ready shows it"},
			{"Service", "Restart", "on-failure", "a machine that was repaired becomes ready"},
			{"Service", "RestartSec", "60", ""},
			{"Unit", "StartLimitIntervalSec", "0", "it never gives up"},
			{"Service", "ExecStart", appliance.AgentPath + " bootstrap", ""},
			{"Unit", "After", appliance.ConfigureUnit + " " + appliance.LocalAIUnit + " " + appliance.NginxUnit, ""},
			{"Install", "WantedBy", "multi-user.target", ""},
		}},
		{appliance.BenchmarkUnit, []setting{
			{"Service", "Type", "exec", ""},
			{"Service", "OOMScoreAdjust", "1000", "it goes before the engine when memory is short"},
			{"Service", "MemoryMax", "2G", "it measures memory with memory"},
			{"Service", "ExecStart", appliance.AgentPath + " benchmark --once", ""},
		}},
		{appliance.WatchUnit, []setting{
			{"Service", "Type", "exec", ""},
			{"Service", "Restart", "always", "it never gives up"},
			{"Service", "RestartSec", "5", ""},
			{"Unit", "StartLimitIntervalSec", "0", "it never gives up"},
			{"Service", "OOMScoreAdjust", "-900", "it outlives the engine when memory is short"},
			{"Service", "CapabilityBoundingSet", "", "root without capabilities"},
			{"Service", "IPAddressDeny", "any", "it speaks to this machine alone"},
			{"Service", "IPAddressAllow", "localhost", ""},
			{"Service", "RuntimeDirectory", "slm-copilot", "nginx looks for a file in it"},
			{"Service", "RuntimeDirectoryMode", "0755", "nginx may look into it"},
			{"Service", "ExecStart", appliance.AgentPath + " watch", ""},
			{"Install", "WantedBy", "multi-user.target", ""},
		}},
		{appliance.GatewayUnit, []setting{
			{"Service", "Type", "exec", ""},
			{"Service", "User", appliance.GatewayUser, "it reads what strangers send"},
			{"Service", "Restart", "always", "it never gives up"},
			{"Service", "RestartSec", "200ms", "a client that tries again within seconds is answered"},
			{"Unit", "StartLimitIntervalSec", "0", "it never gives up, and its socket with it"},
			{"Unit", "Wants", appliance.GatewaySocketUnit, "it cannot make the socket itself"},
			{"Unit", "After", appliance.GatewaySocketUnit + " " + appliance.ConfigureUnit, "it gets the socket, and the files of this boot"},
			{"Service", "LoadCredential", "engine-key:" + appliance.EngineKeyFile, "the account cannot read the file"},
			{"Service", "ExecReload", "/bin/kill -HUP $MAINPID", "a new configuration cuts no answer"},
			{"Service", "TimeoutStopSec", "40", "longer than answers are given to end"},
			{"Service", "OOMScoreAdjust", "-800", "it outlives the engine when memory is short"},
			{"Service", "IPAddressDeny", "any", "it speaks to this machine alone"},
			{"Service", "IPAddressAllow", "localhost", ""},
			{"Service", "CapabilityBoundingSet", "", ""},
			{"Service", "LimitNOFILE", "16384", "one for each connection of nginx, and one to the engine"},
			{"Service", "ExecStart", appliance.AgentPath + " gateway", ""},
		}},
		{appliance.GatewaySocketUnit, []setting{
			{"Socket", "ListenStream", appliance.GatewaySocket, ""},
			{"Socket", "SocketUser", "root", ""},
			{"Socket", "SocketGroup", appliance.ProxyGroup, "nginx's workers connect"},
			{"Socket", "SocketMode", "0660", "and nobody else, since no password is asked for"},
			{"Socket", "TriggerLimitIntervalSec", "0", "it never gives up"},
			{"Install", "WantedBy", "sockets.target", ""},
		}},
		{"slm-copilot-limits.conf", []setting{
			{"Unit", "Wants", appliance.GatewaySocketUnit, "whoever starts nginx has the socket"},
			{"Unit", "After", appliance.GatewaySocketUnit, ""},
		}},
		{appliance.CertificateUnit, []setting{
			{"Service", "Type", "oneshot", "the timer starts it again"},
			{"Service", "TimeoutStartSec", "900", "longer than an attempt and the one it may wait for"},
			{"Service", "ExecStart", appliance.AgentPath + " certificate", ""},
		}},
		{appliance.CertificateTimer, []setting{
			{"Timer", "OnBootSec", "10min", "it runs for the first time"},
			{"Timer", "OnUnitInactiveSec", "10min", "and again"},
			{"Timer", "RandomizedDelaySec", "1min", "many machines do not ask at once"},
			{"Install", "WantedBy", "timers.target", ""},
		}},
		{"slm-copilot-acme.conf", []setting{
			{"Service", "EnvironmentFile", "-" + appliance.CertbotEnvFile, "certbot trusts the operator's ACME server, and runs without the file"},
		}},
		{ModelMountUnit, []setting{
			{"Mount", "Options", "ro,nosuid,nodev,noexec", "one disk may serve many machines, and holds data only"},
			{"Mount", "What", "/dev/disk/by-label/" + appliance.ModelDiskLabel, ""},
			{"Mount", "Where", appliance.ModelsDir, ""},
			{"Install", "WantedBy", "local-fs.target", ""},
		}},
		{"10-slm-copilot-model-disk.conf", []setting{
			{"Unit", "RequiresMountsFor", appliance.ModelsDir, "the engine waits for its weights"},
		}},
	} {
		at := slices.IndexFunc(all(), func(f File) bool { return filepath.Base(f.Path) == unit.name })
		require.GreaterOrEqual(t, at, 0, unit.name)
		present := settings(string(all()[at].Content))
		for _, want := range unit.settings {
			assert.Equal(t, []string{want.value}, present[want.section+"."+want.key], "%s: %s=: %s", unit.name, want.key, want.why)
		}
	}
}

// For whoever waits in the socket systemd would start a unit whose condition fails again and again,
// without a pause.
func TestTheGatewayHasNoCondition(t *testing.T) {
	at := slices.IndexFunc(units(), func(f File) bool { return filepath.Base(f.Path) == appliance.GatewayUnit })
	require.GreaterOrEqual(t, at, 0)
	for key := range settings(string(units()[at].Content)) {
		assert.NotRegexp(t, "Condition|Assert", key)
	}
}

// setting is one line of a unit file, and what it is good for.
type setting struct{ section, key, value, why string }

// settings are the values of a unit file by section and key.
func settings(content string) map[string][]string {
	found, section := map[string][]string{}, ""
	for line := range strings.Lines(content) {
		line = strings.TrimSpace(line)
		key, value, assigned := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		case assigned:
			found[section+"."+key] = append(found[section+"."+key], value)
		}
	}
	return found
}

// What is installed but not enabled never starts; what is started by others is not enabled.
func TestUnitsToEnable(t *testing.T) {
	for _, unit := range units() {
		name := filepath.Base(unit.Path)
		_, wanted := settings(string(unit.Content))["Install.WantedBy"]
		assert.Equal(t, wanted, slices.Contains(append(Units(), ModelMountUnit), name), name)
	}
}

func TestModes(t *testing.T) {
	for _, file := range all() {
		want := fs.FileMode(0o644)
		if file.Path == appliance.ContextHook {
			want = 0o755
		}
		assert.Equal(t, want, file.Mode, file.Path)
	}
}

// Nothing starts with the files of an earlier boot; and whatever fails, the rest starts.
func TestOrderWithoutDependence(t *testing.T) {
	require.NotEmpty(t, units())
	for _, unit := range units() {
		content := string(unit.Content)
		for _, stronger := range []string{"Requires=", "Requisite=", "BindsTo=", "PartOf=", "Upholds="} {
			assert.NotContains(t, content, stronger, unit.Path)
		}
		if filepath.Base(unit.Path) != appliance.ConfigureUnit {
			continue
		}
		before := regexp.MustCompile(`(?m)^Before=(.*)$`).FindStringSubmatch(content)
		require.NotNil(t, before)
		for _, later := range []string{appliance.LocalAIUnit, appliance.NginxUnit, appliance.BootstrapUnit} {
			assert.Contains(t, strings.Fields(before[1]), later)
		}
	}
}

// systemd's own measure: 100 for a service that can do all, 0 for one that can do nothing.
// Those that mount, write below /etc and run other programs cannot be sandboxed much.
func TestUnitsAreLockedUp(t *testing.T) {
	limits := map[string]string{appliance.GatewayUnit: "20", appliance.WatchUnit: "25", appliance.ConfigureUnit: "70", appliance.BootstrapUnit: "70", appliance.BenchmarkUnit: "70", appliance.CertificateUnit: "70"}
	for _, unit := range units() {
		name := filepath.Base(unit.Path)
		limit, limited := limits[name]
		if !limited {
			continue
		}
		delete(limits, name)
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, unit.Content, 0o644))
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+limit, path).CombinedOutput()
		assert.NoError(t, err, string(out))
	}
	assert.Empty(t, limits, "no such units")
}

// The hook must hand over the file alone: the context values in its environment include
// the password.
func TestHookPassesTheFileAndNoSecret(t *testing.T) {
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	agent := filepath.Join(dir, "agent")
	require.NoError(t, os.WriteFile(agent, []byte("#!/bin/sh\necho \"$@\" > "+seen+"\nenv >> "+seen+"\n"), 0o755))
	hook := filepath.Join(dir, "hook")
	script := strings.ReplaceAll(string(render("context-hook.sh")), appliance.AgentPath, agent)
	require.NoError(t, os.WriteFile(hook, []byte(script), 0o755))

	tests := map[string]struct {
		stage, contextFile, want string
	}{
		"the context is on a medium": {"network", "/mnt/a b/context.sh", "configure --context /mnt/a b/context.sh\n"},
		"no file is named":           {"network", "", "configure\n"},
		"an earlier stage":           {"local", "/mnt/context.sh", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.RemoveAll(seen))
			cmd := exec.Command(hook, tt.stage, "")
			cmd.Env = append(os.Environ(), "CONTEXT_FILE="+tt.contextFile, appliance.VarPassword+"=hunter22")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			got, _ := os.ReadFile(seen)
			assert.True(t, strings.HasPrefix(string(got), tt.want), "%q", got)
			assert.Equal(t, tt.want == "", len(got) == 0)
			assert.NotContains(t, string(got), "hunter22")
		})
	}
}

func TestEverySecretIsPerVMState(t *testing.T) {
	for _, secret := range []string{
		appliance.PasswordFile, appliance.EngineKeyFile, appliance.LocalAIEnvFile, appliance.NginxSite,
		appliance.CAKey, appliance.CACert, appliance.ServerKey, appliance.StatusJSON, appliance.LocalAIStateDir,
		appliance.ReportFile, appliance.LogFile, appliance.NginxEnabled,
		appliance.ACMEDir + "/archive/copilot.example.org/privkey1.pem", appliance.ACMEDir + "/accounts/x/private_key.json",
	} {
		covered := false
		for _, path := range PerVMState() {
			covered = covered || secret == path || strings.HasPrefix(secret, path+"/")
		}
		assert.True(t, covered, secret)
	}
	for _, path := range PerVMState() {
		for _, file := range Files() {
			assert.False(t, strings.HasPrefix(file.Path, path), "%s would be removed with %s", file.Path, path)
		}
	}
}

func install(t *testing.T, root string, file File) {
	t.Helper()
	path := filepath.Join(root, file.Path)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, file.Content, file.Mode))
}
