package provisioner

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remote"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remotetest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// machine is a Debian as the builder hands it over: with traces of its first boot.
func machine(t *testing.T) *remotetest.Machine {
	m := remotetest.New(t)
	m.Write("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n")
	m.Write("/run/systemd/system/x", "")
	m.Stub("id", "echo 0")
	m.Stub("uname", "echo x86_64")
	m.Stub("df", "echo Filesystem 1024-blocks Used Available Capacity Mounted; echo /dev/vda1 9 9 9999999 1% /")
	m.Stub("dpkg-query", "exit 1")
	m.Stub("timeout", "")
	m.Stub("cloud-init", "")
	m.Stub("apt-get", `case "$*" in *install*) test -x '`+m.Path("/usr/sbin/policy-rc.d")+`' && echo "(no service may start)" >>'`+m.Path("/calls")+`' ;; esac`)
	m.Stub("sleep", "")
	m.Stub("systemd-sysusers", "")
	m.Stub("systemctl", `case $1$2 in show*) echo 0 ;; *is-failed) exit 1 ;; esac`)
	m.Stub("journalctl", "echo the last words of a service")
	m.Stub("passwd", "")
	for _, dir := range []string{"/home", "/tmp", "/var/tmp", "/var/log", "/usr/sbin"} {
		require.NoError(t, os.MkdirAll(m.Path(dir), 0o755))
	}
	m.Write("/etc/nginx/sites-enabled/default", "")
	return m
}

// agent is a stand-in for the agent: a shell script that notes its call.
func agent(m *remotetest.Machine, text string) fstest.MapFS {
	script := "#!/bin/sh\necho slm-copilot \"$@\" >>'" + m.Path("/calls") + "'\n" + text
	return fstest.MapFS{"agent/slm-copilot-linux-amd64": {Data: []byte(script)}}
}

// newBake returns a bake of a valid payload on the machine, and what it says.
func newBake(t *testing.T, m *remotetest.Machine) (*bake, *[]string) {
	dir := t.TempDir()
	var weights bytes.Buffer
	require.NoError(t, gguf.Write(&weights, gguf.Tiny("test")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.gguf"), weights.Bytes(), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "local-ai"), []byte("engine"), 0o644))
	said := new([]string)
	say := func(line string) { *said = append(*said, line) }
	b := &bake{
		say:      say,
		machine:  remote.NewMachine(m),
		fetcher:  fetch.New(filepath.Join(dir, "cache"), say),
		cacheDir: filepath.Join(dir, "cache"),
		agents:   agent(m, "echo a token came after 1 s\n"),
	}
	require.NoError(t, b.config.decode(block{
		"localai": block{"source": filepath.Join(dir, "local-ai"), "checksum": "none", "version": "v4.9.0"},
		"backend": block{"source": backendDirectory(t)},
		"model":   block{"source": filepath.Join(dir, "model.gguf"), "checksum": "none", "quantization": "F32"},
	}))
	t.Cleanup(func() { b.payload.discard() })
	return b, said
}

func (b *bake) runAll(ctx context.Context) error {
	for _, step := range steps {
		if err := step.run(b, ctx); err != nil {
			return err
		}
	}
	return nil
}

func TestBake(t *testing.T) {
	m := machine(t)
	b, said := newBake(t, m)
	require.NoError(t, b.runAll(t.Context()))

	done := "uploads:\n" + strings.Join(m.Uploads(), "\n") + "\ncalls:\n" + strings.Join(m.Calls(), "\n") + "\n"
	const golden = "testdata/bake.txt"
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(done), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), done)

	assert.Equal(t, "engine", m.Read(appliance.LocalAIBinary))
	assert.Equal(t, "elf", m.Read(appliance.BackendsDir+"/llama-cpp/lib/libggml.so"))
	for path, mode := range map[string]os.FileMode{
		appliance.LocalAIBinary:                                              0o755,
		appliance.AgentPath:                                                  0o755,
		appliance.ModelsDir + "/model.gguf":                                  0o644,
		appliance.BackendsDir + "/llama-cpp/run.sh":                          0o755,
		appliance.BackendsDir + "/llama-cpp/lib/libggml.so.0":                0o644,
		appliance.UnitDir + "/" + appliance.ConfigureUnit:                    0o644,
		appliance.UnitDir + "/ssh.service.d/" + filepath.Base(hostKeys.Path): 0o644,
	} {
		info, err := os.Stat(m.Path(path))
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode().Perm(), path)
	}
	assert.JSONEq(t, `{"model_id": "devstral-small-2", "model_name": "devstral-small-2", "quantization": "F32",
		"localai_version": "v4.9.0", "appliance_version": "1.0.0"}`, m.Read(appliance.BakedFile))
	assert.NoFileExists(t, m.Path("/etc/nginx/sites-enabled/default"))
	assert.NoFileExists(t, m.Path("/usr/sbin/policy-rc.d"))
	assert.Contains(t, *said, "a token came after 1 s")
	b.payload.discard()
	left, err := filepath.Glob(filepath.Join(b.cacheDir, "*"))
	require.NoError(t, err)
	assert.Empty(t, left, "the packed backend is gone")
}

func TestProvisionNamesTheStep(t *testing.T) {
	t.Setenv("PACKER_CACHE_DIR", t.TempDir())
	m := machine(t)
	m.Stub("id", "echo 1000")
	var p Provisioner
	require.NoError(t, p.Prepare(valid()))
	ui := &packersdk.MockUi{}
	err := p.Provision(t.Context(), ui, m, nil)
	require.ErrorContains(t, err, "check the machine: the login is not root but uid 1000")
	require.Len(t, ui.SayMessages, 1)
	assert.Equal(t, "check the machine", ui.SayMessages[0].Message)
	assert.Empty(t, m.Uploads())
}

func TestCheckMachineListsEverything(t *testing.T) {
	m := machine(t)
	m.Write("/etc/os-release", "ID=fedora\n")
	m.Stub("id", "echo 7")
	m.Stub("uname", "echo riscv64")
	require.NoError(t, os.RemoveAll(m.Path("/run/systemd")))
	b, _ := newBake(t, m)
	assert.EqualError(t, b.checkMachine(t.Context()), `the login is not root but uid 7: set ssh_username = "root" in the source
the operating system is "fedora", not Debian or Ubuntu: use another base image
systemd is not running: use a base image that boots with systemd
the architecture is "riscv64", not x86_64 or aarch64: use another base image`)

	m = machine(t)
	m.Stub("uname", "echo aarch64")
	b, _ = newBake(t, m)
	assert.EqualError(t, b.checkMachine(t.Context()), "this plugin was built without the agent for arm64: run make build")
}

func TestPayloadMistakes(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, c *Config)
		err   string
	}{
		"missing engine":          {func(_ *testing.T, c *Config) { c.LocalAI.Source += "x" }, "localai.source: stat "},
		"wrong engine":            {func(_ *testing.T, c *Config) { c.LocalAI.Checksum = digest }, "localai.checksum: "},
		"missing backend":         {func(_ *testing.T, c *Config) { c.Backend.Source += "x" }, "is not a directory, and only a directory needs no backend.checksum"},
		"directory with checksum": {func(_ *testing.T, c *Config) { c.Backend.Checksum = digest }, "is a directory and has no checksum: remove the attribute"},
		"backend without run.sh": {func(t *testing.T, c *Config) {
			require.NoError(t, os.Remove(filepath.Join(c.Backend.Source, "run.sh")))
		}, "backend.source: not a backend directory"},
		"missing model": {func(_ *testing.T, c *Config) { c.Model.Source += "x" }, "model.source: stat "},
		"not a model": {func(t *testing.T, c *Config) {
			require.NoError(t, os.WriteFile(c.Model.Source, []byte("<html>sign in</html>"), 0o644))
		}, "model.source: "},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(t)
			b, _ := newBake(t, m)
			tt.spoil(t, &b.config)
			require.ErrorContains(t, b.runAll(t.Context()), tt.err)
			assert.Empty(t, m.Uploads(), "nothing is changed on the machine")
		})
	}
}

func TestFullMachine(t *testing.T) {
	m := machine(t)
	m.Stub("df", "echo Filesystem 1024-blocks Used Available Capacity Mounted; echo /dev/vda1 9 9 1024 1% /")
	b, _ := newBake(t, m)
	require.ErrorContains(t, b.runAll(t.Context()), "the machine has 1.0 MiB free on /, the appliance needs 384.")
	m.Stub("df", "exit 1")
	require.ErrorContains(t, b.runAll(t.Context()), `df on the machine gave no number: ""`)
}

func TestPackages(t *testing.T) {
	t.Run("all there", func(t *testing.T) {
		m := machine(t)
		m.Stub("dpkg-query", "echo installed")
		b, _ := newBake(t, m)
		require.NoError(t, b.installPackages(t.Context()))
		assert.NotContains(t, strings.Join(m.Calls(), "\n"), "apt-get")
	})
	t.Run("mirror down twice", func(t *testing.T) {
		m := machine(t)
		counter := m.Path("/tries")
		m.Stub("apt-get", `case "$*" in *update) echo x >>'`+counter+`'; test $(wc -l <'`+counter+`') -ge 3 ;; esac`)
		b, _ := newBake(t, m)
		require.NoError(t, b.installPackages(t.Context()))
	})
	t.Run("mirror down", func(t *testing.T) {
		m := machine(t)
		m.Write("/usr/sbin/policy-rc.d", "the image's own")
		m.Stub("apt-get", "echo E: no route >&2; exit 100")
		b, _ := newBake(t, m)
		err := b.installPackages(t.Context())
		require.ErrorContains(t, err, "E: no route")
		require.ErrorContains(t, err, "apt-get update failed 3 times: the machine needs a package mirror, or a base image that holds nginx certbot")
		assert.Equal(t, "the image's own", m.Read("/usr/sbin/policy-rc.d"), "put back even then")
	})
	t.Run("for zstd", func(t *testing.T) {
		b, _ := newBake(t, machine(t))
		b.config.Backend.Source = "b.tar.zst"
		assert.Equal(t, []string{"nginx", "certbot", "zstd"}, b.packages())
	})
}

func TestUnpackBackend(t *testing.T) {
	for name, tt := range map[string]struct{ pack, err string }{
		"content":         {`tar -C /src/x -czf /b.tar .`, ""},
		"one directory":   {`tar -C /src --zstd -cf /b.tar x`, ""},
		"no run.sh":       {`tar -C /src -cf /b.tar y`, "backend.source: the archive has no run.sh at its top"},
		"two directories": {`tar -C /src -cf /b.tar x y`, "backend.source: the archive has no run.sh at its top"},
		"no archive":      {`echo garbage >/b.tar`, "exit status 2"},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(t)
			m.Write("/src/x/run.sh", "new")
			m.Write("/src/y/z/other", "")
			m.Write(appliance.BackendsDir+"/llama-cpp/old", "")
			b, _ := newBake(t, m)
			_, err := b.machine.Run(t.Context(), remote.Script{Text: tt.pack, Timeout: packagesTimeout})
			require.NoError(t, err)
			b.payload.backend = m.Path("/b.tar")
			err = b.installBackend(t.Context())
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				assert.FileExists(t, m.Path(appliance.BackendsDir+"/llama-cpp/old"))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "new", m.Read(appliance.BackendsDir+"/llama-cpp/run.sh"))
			assert.NoFileExists(t, m.Path(appliance.BackendsDir+"/llama-cpp/old"))
			assert.NoFileExists(t, m.Path(backendArchive))
			assert.NoDirExists(t, m.Path(appliance.BackendsDir+"/llama-cpp.part"))
		})
	}
}

func TestSmokeTestFails(t *testing.T) {
	for name, tt := range map[string]struct{ agent, systemctl string }{
		"configure fails":  {"echo nonsense in the image; exit 1", ""},
		"restarts forever": {`test "$1" = configure || { echo nonsense in the image; exit 1; }`, `case "$*" in show*) echo 3 ;; *is-failed*) exit 1 ;; esac`},
		"failed unit":      {`test "$1" = configure || { echo nonsense in the image; exit 1; }`, `case $1 in show) echo 0 ;; esac`},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(t)
			m.Stub("systemctl", tt.systemctl)
			b, _ := newBake(t, m)
			b.agents = agent(m, tt.agent)
			b.arch = "amd64"
			require.NoError(t, b.installAgent(t.Context()))
			err := b.smokeTest(t.Context())
			require.ErrorContains(t, err, "the appliance gives no answer: exit status 1")
			require.ErrorContains(t, err, "nonsense in the image")
			assert.ErrorContains(t, err, "the journal of its services:\nthe last words of a service")
		})
	}
}

func TestSmokeTestWaits(t *testing.T) {
	m := machine(t)
	b, said := newBake(t, m)
	counter := m.Path("/tries")
	b.agents = agent(m, `test "$1" = configure && exit; echo x >>'`+counter+`'; test $(wc -l <'`+counter+`') -ge 3 || { echo 503; exit 1; }; echo a token came`)
	b.arch = "amd64"
	require.NoError(t, b.installAgent(t.Context()))
	*said = nil
	require.NoError(t, b.smokeTest(t.Context()))
	assert.Equal(t, []string{"503", "503", "a token came"}, *said)
}

func TestCleanUp(t *testing.T) {
	m := machine(t)
	gone := []string{
		appliance.PasswordFile, appliance.EngineKeyFile, appliance.LocalAIEnvFile, appliance.CAKey, appliance.NginxEnabled,
		appliance.ReportFile, appliance.StatusJSON, "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_rsa_key.pub",
		"/var/lib/systemd/random-seed", "/var/lib/apt/lists/mirror_InRelease", "/root/.bash_history", "/home/debian/.ssh/authorized_keys",
		"/var/lib/dhcp/dhclient.leases", "/tmp/x/y", "/var/tmp/.hidden", "/var/log/syslog.1", "/var/log/dpkg.log.2.gz",
		"/var/log/journal/0123/system.journal",
	}
	kept := []string{
		"/root/.ssh/authorized_keys", "/etc/ssh/sshd_config", appliance.BakedFile, appliance.AgentPath,
		appliance.UnitDir + "/" + appliance.LocalAIUnit, "/tmp/systemd-private-1/x",
	}
	for _, path := range append(append([]string{"/var/log/dpkg.log", "/etc/machine-id", "/var/lib/dbus/machine-id"}, gone...), kept...) {
		m.Write(path, "x")
	}
	b, _ := newBake(t, m)
	require.NoError(t, b.cleanUp(t.Context()))
	for _, path := range gone {
		assert.NoFileExists(t, m.Path(path))
	}
	for _, path := range kept {
		assert.Equal(t, "x", m.Read(path))
	}
	assert.Empty(t, m.Read("/var/log/dpkg.log"))
	assert.Empty(t, m.Read("/etc/machine-id"))
	assert.Equal(t, "install_success\n", m.Read(appliance.StatusFile))
	link, err := os.Readlink(m.Path("/var/lib/dbus/machine-id"))
	require.NoError(t, err)
	assert.Equal(t, m.Path("/etc/machine-id"), link)
	assert.Contains(t, m.Calls(), "passwd --quiet --lock root")
	require.NoError(t, b.cleanUp(t.Context()), "a second time finds nothing to do")
}

func TestCancelBetweenSteps(t *testing.T) {
	m := machine(t)
	b, _ := newBake(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	m.Sabotage = func(path string, content []byte) ([]byte, error) {
		cancel()
		return content, nil
	}
	assert.ErrorIs(t, b.runAll(ctx), context.Canceled)
	assert.Len(t, m.Uploads(), 1)
}

func TestBrokenUploadIsNoticed(t *testing.T) {
	m := machine(t)
	b, _ := newBake(t, m)
	m.Sabotage = func(path string, content []byte) ([]byte, error) {
		if strings.Contains(path, "model.gguf") {
			return content[:100], nil
		}
		return content, nil
	}
	err := b.runAll(t.Context())
	require.ErrorContains(t, err, "verify /opt/local-ai/models/model.gguf")
	assert.ErrorContains(t, err, "lost bytes")
	assert.False(t, errors.Is(err, io.EOF))
}

func FuzzParseFacts(f *testing.F) {
	f.Add("uid=0\nmachine=x86_64\nid=debian\nlike=\nsystemd=yes\n")
	f.Add("Welcome!\r\n==\n=\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name, value := range parseFacts(text) {
			if strings.Contains(name, "=") || strings.ContainsAny(name+value, "\n") {
				t.Fatalf("%q=%q out of %q", name, value, text)
			}
		}
	})
}
