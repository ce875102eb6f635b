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
			content[100]++
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
