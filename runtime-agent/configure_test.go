package main

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

const restartBootstrap = "restart " + appliance.BootstrapUnit

func inode(info fs.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

// one-context names the machine only after the first configure, which makes the root.
func TestCertificatesOfAMachineWithoutAName(t *testing.T) {
	for name, want := range map[string]string{"Copilot-3": "copilot-3", "no name": appliance.Name, "": appliance.Name} {
		v := newVM(t)
		v.facts.Hostname = ""
		v.configure(map[string]string{appliance.VarHostname: name})
		assert.Equal(t, "SLM-Copilot root of "+want, parseBlock(t, v.read(appliance.CACert)).Subject.CommonName)
		leaf := v.read(plan.LeafFile)
		assert.Contains(t, parseBlock(t, leaf).DNSNames, want)
		v.facts.Hostname = want
		v.configure(map[string]string{appliance.VarHostname: name})
		assert.Equal(t, leaf, v.read(plan.LeafFile), "the name does not change when the machine gets it")
	}
}

func TestConfigureAppliesTheContext(t *testing.T) {
	v := newVM(t)
	v.configure(map[string]string{
		appliance.VarContextSize: "4096", appliance.VarThreads: "3", appliance.VarPassword: "the-password",
		appliance.VarDomain: "Copilot.example.org", "ETH0_IP": "198.51.100.7",
	})
	assert.Equal(t, "the-password\n", v.read(appliance.PasswordFile))
	model := v.read(appliance.ModelConfigDir + "/model.yaml")
	assert.Contains(t, model, "\ncontext_size: 4096\n")
	assert.Contains(t, model, "\nthreads: 3\n")
	assert.Contains(t, v.read(appliance.LocalAIEnvFile), "LOCALAI_API_KEY="+v.read(appliance.EngineKeyFile))
	assert.Equal(t, appliance.ConfigureSuccess+"\n", v.read(appliance.StatusFile))

	present, err := status.Store{Root: v.root}.Load()
	require.NoError(t, err)
	assert.Equal(t, "copilot.example.org", present.Host)
	assert.Equal(t, 4096, present.ContextSize)
	assert.Equal(t, "CN=copilot.example.org,O=SLM-Copilot", present.Certificate.Subject)
	for path, mode := range map[string]fs.FileMode{
		appliance.PasswordFile: 0o600, appliance.EngineKeyFile: 0o600, appliance.LocalAIEnvFile: 0o600, appliance.CAKey: 0o600,
		appliance.NginxSite: 0o640, vmcontext.LastGood: 0o600, appliance.LogFile: 0o640, appliance.ModelConfigDir + "/model.yaml": 0o644,
	} {
		info, err := os.Lstat(filepath.Join(v.root, path))
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode(), path)
	}
	assert.Equal(t, []string{"restart " + appliance.LocalAIUnit, "reload " + appliance.NginxUnit, restartBootstrap}, v.units.calls)
}

func TestConfigureAgainWritesNothing(t *testing.T) {
	v := newVM(t)
	values := map[string]string{appliance.VarPassword: "the-password"}
	v.configure(values)
	before := v.snapshot()
	v.configure(values)
	after := v.snapshot()
	delete(before, "/mnt/context.sh") // the test writes it again
	delete(after, "/mnt/context.sh")
	assert.Equal(t, before, after)
	assert.Empty(t, v.units.calls)
}

func TestOnlyUnitsWhoseInputsChangedAreRestarted(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	v.configure(map[string]string{appliance.VarPassword: "another-password"})
	assert.Equal(t, []string{"reload " + appliance.NginxUnit, restartBootstrap}, v.units.calls, "a password affects only nginx")
	v.configure(map[string]string{appliance.VarPassword: "another-password", appliance.VarThreads: "2"})
	assert.Equal(t, []string{"restart " + appliance.LocalAIUnit, restartBootstrap}, v.units.calls, "threads affect only the engine")
}

func TestEveryMistakeIsListedAndNothingChanges(t *testing.T) {
	v := newVM(t)
	good := map[string]string{appliance.VarPassword: "the-password"}
	v.configure(good)
	before := v.snapshot()
	code, _, stderr := v.run("configure", "--context", v.context(map[string]string{
		appliance.VarContextSize: "12", appliance.VarThreads: "many", appliance.VarPassword: "short", appliance.VarDomain: "a b",
		appliance.Prefix + "TREADS": "4",
	}))
	assert.Equal(t, 1, code)
	for _, text := range []string{stderr, v.read(appliance.LogFile), v.read(appliance.ReportFile), v.read(appliance.StatusJSON), v.read(appliance.MOTDFile)} {
		for _, name := range []string{appliance.VarContextSize, appliance.VarThreads, appliance.VarPassword, appliance.VarDomain} {
			assert.Contains(t, text, name)
		}
		assert.NotContains(t, text, "short", "a secret value is not repeated")
	}
	assert.Contains(t, stderr, appliance.Prefix+"TREADS")
	assert.Equal(t, appliance.ConfigureFailure+"\n", v.read(appliance.StatusFile))
	assert.Empty(t, v.units.calls)
	assert.ElementsMatch(t, differing(before, v.snapshot()),
		[]string{"/mnt/context.sh", appliance.StatusFile, appliance.StatusJSON, appliance.MOTDFile, appliance.ReportFile})

	v.configure(good)
	assert.Equal(t, appliance.ConfigureSuccess+"\n", v.read(appliance.StatusFile), "the old context again is a repair")
	assert.Equal(t, []string{restartBootstrap}, v.units.calls)
}

func TestAnUnknownVariableIsAWarning(t *testing.T) {
	v := newVM(t)
	v.configure(map[string]string{appliance.Prefix + "TREADS": "4", "ETH0_IP": "192.0.2.7"})
	assert.Regexp(t, `WARN.* the context contains variables this image does not know: `+appliance.Prefix+"TREADS\n", v.read(appliance.LogFile))
}

func TestPassword(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	generated := v.read(appliance.PasswordFile)
	assert.Regexp(t, `^[A-Za-z0-9]{16}\n$`, generated)
	v.configure(map[string]string{appliance.VarPassword: ""})
	assert.Equal(t, generated, v.read(appliance.PasswordFile), "it is generated once")
	v.configure(map[string]string{appliance.VarPassword: "the-password"})
	v.configure(map[string]string{})
	assert.Equal(t, "the-password\n", v.read(appliance.PasswordFile), "the last one stays in force")
}

func TestANewBootKeepsTheRootAndThePassword(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	root, leaf, password := v.read(appliance.CACert), v.read(plan.LeafFile), v.read(appliance.PasswordFile)
	v.facts.BootID = "boot-2"
	v.configure(nil)
	assert.Equal(t, root, v.read(appliance.CACert))
	assert.Equal(t, root, v.read(appliance.WebRoot+appliance.PathCA))
	assert.Equal(t, password, v.read(appliance.PasswordFile))
	second := v.read(plan.LeafFile)
	assert.NotEqual(t, leaf, second)
	v.facts.Addresses = append(v.facts.Addresses, netip.MustParseAddr("192.0.2.8"))
	v.configure(nil)
	assert.NotEqual(t, second, v.read(plan.LeafFile), "another address needs another certificate")
}

func TestAConfigurationNginxRefusesIsRolledBack(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	site := v.read(appliance.NginxSite)
	v.refusal = errors.New("nginx refuses its configuration")
	code, _, stderr := v.run("configure", "--context", v.context(map[string]string{appliance.VarPassword: "another-password"}))
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "nginx refuses its configuration")
	assert.Equal(t, site, v.read(appliance.NginxSite))
	assert.NotEqual(t, "another-password\n", v.read(appliance.PasswordFile), "the password in force is the one in nginx's site")
	assert.Equal(t, appliance.ConfigureFailure+"\n", v.read(appliance.StatusFile))
}

func TestConfigureWithoutAContextUsesDefaults(t *testing.T) {
	v := newVM(t)
	code, _, stderr := v.run("configure")
	require.Zero(t, code, stderr)
	model := v.read(appliance.ModelConfigDir + "/model.yaml")
	assert.Contains(t, model, "\ncontext_size: 32768\n")
	assert.Contains(t, model, "\nthreads: 4\n")
	assert.Contains(t, stderr, "configured from defaults")
}

func TestConfigureFailsClearly(t *testing.T) {
	tests := map[string]struct {
		spoil func(*vm)
		want  string
	}{
		"no description of the image": {func(v *vm) { require.NoError(t, os.Remove(filepath.Join(v.root, appliance.BakedFile))) }, "which model the image contains"},
		"a damaged description":       {func(v *vm) { v.put(appliance.BakedFile, "{") }, "read " + appliance.BakedFile},
		"an empty description":        {func(v *vm) { v.put(appliance.BakedFile, "{}") }, "model_id is missing"},
		"a damaged context":           {func(v *vm) { v.put(appliance.ContextCopy, "A=1") }, "expected a single quote"},
		"a directory in the way":      {func(v *vm) { v.put(appliance.CAKey+"/x", "") }, "read the present certificates"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			tt.spoil(v)
			code, _, stderr := v.run("configure")
			assert.Equal(t, 1, code)
			assert.Contains(t, stderr, tt.want)
			assert.Equal(t, appliance.ConfigureFailure, strings.TrimSpace(v.read(appliance.StatusFile)))
			assert.Empty(t, v.units.calls)
		})
	}
}
