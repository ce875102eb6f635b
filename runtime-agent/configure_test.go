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
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/nginx"
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
		appliance.GatewayConfigFile: 0o644,
	} {
		info, err := os.Lstat(filepath.Join(v.root, path))
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode(), path)
	}
	assert.Equal(t, []string{"restart " + appliance.LocalAIUnit, "restart " + appliance.GatewayUnit, "reload " + appliance.NginxUnit, restartBootstrap}, v.units.calls)
}

// cloud-init tells every user of the machine what it was told.
func TestConfigureHidesWhatCloudInitTells(t *testing.T) {
	v := newVM(t)
	copied := filepath.Join(v.root, "run/cloud-init/instance-data.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(copied), 0o755))
	require.NoError(t, os.WriteFile(copied, []byte(`{"ds":{"meta_data":{"ONEAPP_COPILOT_PASSWORD":"the-password"}}}`), 0o644))
	v.configure(map[string]string{appliance.VarPassword: "the-password"})
	info, err := os.Stat(copied)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode())
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
	assert.Equal(t, []string{"restart " + appliance.LocalAIUnit, "restart " + appliance.GatewayUnit, restartBootstrap}, v.units.calls, "threads affect only the engine")
	keys := map[string]string{appliance.VarPassword: "another-password", appliance.VarThreads: "2", appliance.VarKeys: "alice:k7Ge9wQz2mXx"}
	v.configure(keys)
	assert.Equal(t, []string{"reload " + appliance.GatewayUnit, "reload " + appliance.NginxUnit}, v.units.calls, "a key restarts nothing")
	keys[appliance.VarKeys] = "alice:tractor-lemon-37"
	v.configure(keys)
	assert.Equal(t, []string{"reload " + appliance.NginxUnit}, v.units.calls, "the gateway knows the name alone")
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
}

// An operator clears a password that leaked.
func TestClearingThePasswordGeneratesAnother(t *testing.T) {
	for name, variable := range map[string]string{"by its name": appliance.VarPassword, "by its input's": "ONEAPP_COPILOT_ACCESS_PASSWORD"} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			v.configure(nil)
			first := v.read(appliance.PasswordFile)
			v.configure(map[string]string{variable: "LeakedByAnybody1"})
			require.Equal(t, "LeakedByAnybody1\n", v.read(appliance.PasswordFile))
			v.configure(map[string]string{variable: " "})
			generated := v.read(appliance.PasswordFile)
			assert.Regexp(t, `^[A-Za-z0-9]{16}\n$`, generated)
			assert.NotEqual(t, "LeakedByAnybody1\n", generated)
			assert.NotEqual(t, first, generated)
			assert.Equal(t, generated, nginx.PasswordInUse([]byte(v.read(appliance.NginxSite)))+"\n")
			v.configure(map[string]string{})
			assert.Equal(t, generated, v.read(appliance.PasswordFile), "it is generated once")
		})
	}
}

func TestLostAndDamagedStateIsRestoredOrSaid(t *testing.T) {
	for name, tt := range map[string]struct {
		path    string
		content string // "" removes the file
		same    bool   // whether clients go on with what they have
		warning string
	}{
		"the password, lost":     {appliance.PasswordFile, "", true, "with the password is lost; it was restored"},
		"the password, half":     {appliance.PasswordFile, "abcdefgh", true, "with the password is damaged; it was restored"},
		"the password, binary":   {appliance.PasswordFile, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\n", true, "is damaged; it was restored"},
		"LocalAI's key, lost":    {appliance.EngineKeyFile, "", true, "with the LocalAI's key is lost; it was restored"},
		"LocalAI's key, half":    {appliance.EngineKeyFile, "0123", true, "with the LocalAI's key is damaged; it was restored"},
		"the root, binary":       {appliance.CACert, "\x00\xff", true, "root certificate: it was lost or damaged, and was restored"},
		"the root, lost":         {appliance.CACert, "", true, "root certificate: it was lost or damaged, and was restored"},
		"the root's key, half":   {appliance.CAKey, "-----BEGIN PRIVATE KEY-----\n", false, "root certificate: a new one was made"},
		"the root's key, lost":   {appliance.CAKey, "", false, "root certificate: a new one was made"},
		"the published root":     {appliance.WebRoot + appliance.PathCA, "\x00", true, ""},
		"the server certificate": {plan.LeafFile, "\x00", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			v.configure(nil)
			before := v.snapshot()
			path := filepath.Join(v.root, tt.path)
			if tt.content == "" {
				require.NoError(t, os.Remove(path))
			} else {
				require.NoError(t, os.WriteFile(path, []byte(tt.content), 0o600))
			}
			v.configure(nil)
			for _, kept := range []string{appliance.PasswordFile, appliance.EngineKeyFile, appliance.CACert, appliance.CAKey} {
				if tt.same {
					assert.Equal(t, before[kept].content, v.read(kept), kept)
				}
			}
			if !tt.same {
				assert.NotEqual(t, before[appliance.CACert].content, v.read(appliance.CACert))
			}
			assert.Equal(t, v.read(appliance.CACert), v.read(appliance.WebRoot+appliance.PathCA))
			if tt.warning != "" {
				assert.Contains(t, v.read(appliance.LogFile), tt.warning)
			} else {
				assert.NotRegexp(t, "lost|damaged|a new one", v.read(appliance.LogFile))
			}
		})
	}
}

// What changes nothing that bootstrap checks still ends in the status.
func TestARestoredRootIsInTheStatus(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	v.put(appliance.CAKey, "")
	v.configure(nil)
	code, stdout, _ := v.run("status")
	assert.Equal(t, 1, code)
	assert.Contains(t, stdout, "root certificate: a new one was made")
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

// Nobody can log in to find out, because the same context has the keys for that.
func TestAContextThatCannotBeReadAtTheFirstBootGetsAPage(t *testing.T) {
	v := newVM(t)
	v.put(appliance.ContextCopy, "ONEAPP_COPILOT_PASSWORD='hunter2hunter2\n")
	code, _, stderr := v.run("configure")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "ONEAPP_COPILOT_PASSWORD: the value has no closing quote")
	assert.Equal(t, appliance.ConfigureFailure, strings.TrimSpace(v.read(appliance.StatusFile)))
	assert.Contains(t, v.read(appliance.NginxSite), "SLM-Copilot is not serving.")
	assert.Contains(t, v.read(appliance.NginxSite), "slm-copilot status")
	assert.NoFileExists(t, filepath.Join(v.root, appliance.LocalAIEnvFile))
	assert.Contains(t, v.units.calls, "reload "+appliance.NginxUnit)
	_, stdout, _ := v.run("status")
	assert.Contains(t, stdout, "the value has no closing quote")
	assert.NotContains(t, stdout+stderr, "hunter2")

	v.put(appliance.ContextCopy, "ONEAPP_COPILOT_PASSWORD='correct-horse'\n")
	code, _, stderr = v.run("configure")
	assert.Zero(t, code, stderr)
	assert.Equal(t, "correct-horse\n", v.read(appliance.PasswordFile))
}

// A damaged context and a damaged copy of the last good one must not take away what is served.
func TestContextsThatCannotBeReadLaterChangeNothing(t *testing.T) {
	v := newVM(t)
	v.configure(map[string]string{appliance.VarPassword: "the-password"})
	site := v.read(appliance.NginxSite)
	v.put(appliance.ContextCopy, "rubbish")
	v.put(vmcontext.LastGood, "rubbish")
	code, _, stderr := v.run("configure")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "expected NAME='value'")
	assert.Equal(t, site, v.read(appliance.NginxSite))
}

func TestBothHostNamesAreInTheCertificate(t *testing.T) {
	v := newVM(t)
	v.facts.Hostname = "copilot"
	v.configure(map[string]string{appliance.VarHostname: "Copilot.corp.lan."})
	leaf, err := certs.ParseLeaf([]byte(v.read(plan.LeafFile)))
	require.NoError(t, err)
	assert.Equal(t, []string{"copilot", "copilot.corp.lan", "localhost"}, leaf.DNSNames)
	assert.Equal(t, "copilot", leaf.Subject.CommonName)
}

func TestConfigureFailsClearly(t *testing.T) {
	tests := map[string]struct {
		spoil func(*vm)
		want  string
	}{
		"no description of the image": {func(v *vm) { require.NoError(t, os.Remove(filepath.Join(v.root, appliance.BakedFile))) }, "which model the image contains"},
		"a damaged description":       {func(v *vm) { v.put(appliance.BakedFile, "{") }, "read " + appliance.BakedFile},
		"an empty description":        {func(v *vm) { v.put(appliance.BakedFile, "{}") }, "model_id is missing"},
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

func TestNothingInAContextControlsTheTerminal(t *testing.T) {
	v := newVM(t)
	code, stdout, stderr := v.run("configure", "--context", v.context(map[string]string{
		appliance.Prefix + "\x1b[2J": "1", appliance.VarDomain: "\x1b]0;owned\a", appliance.VarACMEDirectory: "https://ops:hush@ca.example.org/" + strings.Repeat("x", 3000),
	}))
	assert.Equal(t, 1, code)
	for _, text := range []string{stdout, stderr, v.read(appliance.LogFile), v.read(appliance.MOTDFile), v.read(appliance.StatusJSON), v.read(appliance.ReportFile)} {
		assert.NotContains(t, text, "\x1b")
		assert.NotContains(t, text, "hush")
		assert.NotContains(t, text, strings.Repeat("x", 100))
	}
}

// Defaults in the place of a context that is lost would take away password and certificate.
func TestALostContextIsNotReplacedByDefaults(t *testing.T) {
	for name, damage := range map[string]func(v *vm, path string){
		"lost":    func(v *vm, path string) { require.NoError(v.t, os.Remove(path)) },
		"empty":   func(v *vm, path string) { require.NoError(v.t, os.WriteFile(path, nil, 0o600)) },
		"rubbish": func(v *vm, path string) { require.NoError(v.t, os.WriteFile(path, []byte("\x00"), 0o600)) },
	} {
		t.Run("the last good one, "+name, func(t *testing.T) {
			v := newVM(t)
			v.configure(map[string]string{appliance.VarPassword: "the-password", appliance.VarDomain: "copilot.example.org"})
			leaf := v.read(plan.LeafFile)
			damage(v, filepath.Join(v.root, vmcontext.LastGood))
			code, _, stderr := v.run("certificate")
			assert.Equal(t, 1, code)
			assert.Contains(t, stderr, "the last good context cannot be read; slm-copilot configure stores it again")
			assert.Equal(t, leaf, v.read(plan.LeafFile))
		})
		t.Run("one-context's copy, "+name, func(t *testing.T) {
			v := newVM(t)
			v.put(appliance.ContextCopy, "ONEAPP_COPILOT_PASSWORD='the-password'\n")
			code, _, stderr := v.run("configure")
			require.Zero(t, code, stderr)
			damage(v, filepath.Join(v.root, appliance.ContextCopy))
			code, _, stderr = v.run("configure")
			require.Zero(t, code, stderr)
			assert.Equal(t, "the-password\n", v.read(appliance.PasswordFile))
			if name != "lost" {
				assert.Contains(t, stderr, "using the last good context")
				assert.Contains(t, v.read(appliance.StatusJSON), "using the last good context")
			}
		})
	}
}

func TestALostOrDamagedStatusIsWrittenAgain(t *testing.T) {
	for name, content := range map[string]string{"lost": "", "damaged": "{"} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			v.configure(nil)
			if content == "" {
				require.NoError(t, os.Remove(filepath.Join(v.root, appliance.StatusJSON)))
			} else {
				v.put(appliance.StatusJSON, content)
			}
			code, _, stderr := v.run("certificate")
			assert.Equal(t, 1, code)
			assert.Contains(t, stderr, "slm-copilot configure writes it again")
			v.configure(nil)
			assert.Contains(t, v.read(appliance.StatusJSON), appliance.ConfigureSuccess)
			assert.Equal(t, []string{restartBootstrap}, v.units.calls)
		})
	}
}

// The password is needed most when something is broken.
func TestTheReportWithoutARoot(t *testing.T) {
	v := newVM(t)
	v.configure(map[string]string{appliance.VarPassword: "the-password"})
	require.NoError(t, os.Remove(filepath.Join(v.root, appliance.CACert)))
	code, stdout, stderr := v.run("report")
	require.Zero(t, code, stderr)
	assert.Contains(t, stdout, "password = the-password\n")
	assert.Contains(t, stdout, "warning = root certificate: ")
}

func TestAModelThatIsAFIFOHoldsNobodyUp(t *testing.T) {
	v := newVM(t)
	require.NoError(t, os.Remove(filepath.Join(v.root, modelFile)))
	require.NoError(t, syscall.Mkfifo(filepath.Join(v.root, modelFile), 0o644))
	code, _, stderr := v.run("check-model")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "the engine is not started")
}
