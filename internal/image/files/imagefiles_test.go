package files

import (
	"flag"
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
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestFilesAreAsAgreed(t *testing.T) {
	for _, file := range all() {
		// A module must not hold a file with a backslash in its name.
		golden := filepath.Join("testdata", strings.ReplaceAll(filepath.Base(file.Path), `\`, "_"))
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(golden, file.Content, 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(file.Content), file.Path)
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
	install(t, root, File{"/usr/bin/udevadm", 0o755, []byte("#!/bin/sh\n")})
	for _, unit := range []string{appliance.LocalAIUnit, appliance.NginxUnit} {
		install(t, root, File{appliance.UnitDir + "/" + unit, 0o644, []byte("[Service]\nExecStart=" + appliance.AgentPath + "\n")})
	}
	for _, target := range []string{"sysinit", "basic", "local-fs", "umount", "network-online", "multi-user", "timers", "shutdown"} {
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
	limits := map[string]string{appliance.WatchUnit: "25", appliance.ConfigureUnit: "70", appliance.BootstrapUnit: "70", appliance.CertificateUnit: "70"}
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

// What units promise beyond the order above. Each directive is one that its unit, and
// nothing else in an appliance, would be missed for.
func TestUnitsHoldWhatTheyArePromisedFor(t *testing.T) {
	certbot := "certbot.service.d/slm-copilot-acme.conf"
	modelDisk := appliance.LocalAIUnit + ".d/10-slm-copilot-model-disk.conf"
	for _, want := range []struct{ file, section, key, value, why string }{
		{appliance.ConfigureUnit, "Service", "Type", "oneshot", "what comes after it waits for its end"},
		{appliance.ConfigureUnit, "Service", "RemainAfterExit", "yes", "it is not run again by what wants it"},
		{appliance.ConfigureUnit, "Service", "ExecStartPre", "-/usr/bin/udevadm settle --timeout=30", "the link to the medium may not be there yet"},
		{appliance.ConfigureUnit, "Service", "TimeoutStartSec", "300", "a boot must not hang for ever"},
		{appliance.ConfigureUnit, "Install", "WantedBy", "multi-user.target", "it starts at boot"},
		{appliance.BootstrapUnit, "Unit", "StartLimitIntervalSec", "0", "it is never given up"},
		{appliance.BootstrapUnit, "Service", "Type", "exec", "the boot does not wait for the model"},
		{appliance.BootstrapUnit, "Service", "RemainAfterExit", "yes", "readiness is reported once a boot"},
		{appliance.BootstrapUnit, "Service", "Restart", "on-failure", "readiness is reported after a repair"},
		{appliance.BootstrapUnit, "Service", "RestartSec", "60", "and soon"},
		{appliance.BootstrapUnit, "Install", "WantedBy", "multi-user.target", "it starts at boot"},
		{appliance.WatchUnit, "Unit", "StartLimitIntervalSec", "0", "it is never given up"},
		{appliance.WatchUnit, "Service", "Restart", "always", "a watch that ends watches nothing"},
		{appliance.WatchUnit, "Service", "RestartSec", "5", "and soon"},
		{appliance.WatchUnit, "Service", "OOMScoreAdjust", "-900", "it is needed when memory is short"},
		{appliance.WatchUnit, "Service", "RuntimeDirectory", "slm-copilot", "nginx looks for a file in there"},
		{appliance.WatchUnit, "Service", "CapabilityBoundingSet", "", "it needs no capability"},
		{appliance.WatchUnit, "Service", "IPAddressDeny", "any", "it talks to this machine alone"},
		{appliance.WatchUnit, "Service", "IPAddressAllow", "localhost", "it talks to this machine"},
		{appliance.WatchUnit, "Install", "WantedBy", "multi-user.target", "it starts at boot"},
		{appliance.CertificateUnit, "Service", "Type", "oneshot", "the timer counts from its end"},
		{appliance.CertificateUnit, "Service", "TimeoutStartSec", "900", "an ACME server may be slow, not silent for ever"},
		{appliance.CertificateTimer, "Timer", "OnBootSec", "10min", "it begins"},
		{appliance.CertificateTimer, "Timer", "OnUnitInactiveSec", "10min", "it goes on"},
		{appliance.CertificateTimer, "Install", "WantedBy", "timers.target", "it starts at boot"},
		{certbot, "Service", "EnvironmentFile", "-" + appliance.CertbotEnvFile, "certbot renews by a private CA"},
		{ModelMountUnit, "Mount", "Where", appliance.ModelsDir, "the agent looks for weights there"},
		{ModelMountUnit, "Mount", "What", "/dev/disk/by-label/" + appliance.ModelDiskLabel, "it is found by its label"},
		{ModelMountUnit, "Mount", "Options", "ro,nosuid,nodev,noexec", "several machines may share the disk"},
		{ModelMountUnit, "Install", "WantedBy", "local-fs.target", "it is mounted at boot"},
		{modelDisk, "Unit", "RequiresMountsFor", appliance.ModelsDir, "the engine waits for its weights"},
	} {
		value, found := directive(t, want.file, want.section, want.key)
		assert.True(t, found, "%s lacks %s=: %s", want.file, want.key, want.why)
		assert.Equal(t, want.value, value, "%s, %s=: %s", want.file, want.key, want.why)
	}
	for _, unit := range []string{appliance.ConfigureUnit, appliance.BootstrapUnit, appliance.CertificateUnit, appliance.WatchUnit} {
		value, _ := directive(t, unit, "Service", "NoNewPrivileges")
		assert.Equal(t, "yes", value, unit)
	}
}

// directive is what systemd takes: the last one of its section.
func directive(t *testing.T, file, section, key string) (value string, found bool) {
	t.Helper()
	i := slices.IndexFunc(all(), func(f File) bool { return f.Path == filepath.Join(appliance.UnitDir, file) })
	require.GreaterOrEqual(t, i, 0, "no file %s", file)
	at := ""
	for line := range strings.Lines(string(all()[i].Content)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			at = strings.Trim(line, "[]")
		}
		if name, text, ok := strings.Cut(line, "="); ok && at == section && name == key {
			value, found = text, true
		}
	}
	return value, found
}
