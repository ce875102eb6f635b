package provisioner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hashicorp/packer-plugin-sdk/common"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remotetest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// dpkgQuery finds none of the packages it is asked about, and lists one when asked for all.
const dpkgQuery = `case "$*" in *source:Package*) printf 'installed\tnginx\t1.22.1-9\tamd64\tnginx\n' ;; *) exit 1 ;; esac`

// program is an ELF header for amd64, padded.
var program = append([]byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00\x01\x00\x00\x00"), make([]byte, 40)...)

// machine returns a Debian machine as the builder hands it over, with traces of its first
// boot.
func machine(t *testing.T) *remotetest.Machine {
	m := remotetest.New(t)
	m.Write("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n")
	m.Write("/run/systemd/system/x", "")
	m.Stub("id", "echo 0")
	m.Stub("uname", "echo x86_64")
	m.Stub("df", "echo Filesystem 1024-blocks Used Available Capacity Mounted; echo /dev/vda1 9 9 9999999 1% /")
	m.Stub("dpkg-query", dpkgQuery)
	m.Stub("udevadm", "")
	m.Stub("systemd-machine-id-setup", "")
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
	m.Write("/etc/nginx/nginx.conf", "events {\n\tworker_connections 768;\n\t# multi_accept on;\n}\n")
	return m
}

// agent returns a stand-in for the agent: a shell script that records its calls.
func agent(m *remotetest.Machine, text string) fstest.MapFS {
	script := "#!/bin/sh\necho slm-copilot \"$@\" >>'" + m.Path("/calls") + "'\n" + text
	return fstest.MapFS{"agent/slm-copilot-linux-amd64": {Data: []byte(script)}}
}

// newBake returns a bake of a valid payload on the machine, and the lines it prints.
func newBake(t *testing.T, m *remotetest.Machine) (*bake, *[]string) {
	dir := t.TempDir()
	var weights bytes.Buffer
	require.NoError(t, gguf.Write(&weights, gguf.Tiny("test")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.gguf"), weights.Bytes(), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "local-ai"), program, 0o644))
	said := new([]string)
	say := func(line string) { *said = append(*said, line) }
	b := &bake{
		say:      say,
		machine:  remote.NewMachine(m),
		fetcher:  fetch.New(filepath.Join(dir, "cache"), say),
		puller:   ociimage.NewPuller(filepath.Join(dir, "cache"), say),
		cacheDir: filepath.Join(dir, "cache"),
		agents:   agent(m, "echo a token came after 1 s\n"),
	}
	require.NoError(t, b.config.decode(block{
		"context": "cloud-init",
		"localai": block{"source": filepath.Join(dir, "local-ai"), "checksum": "none", "version": "v4.9.0"},
		"backend": block{"source": backendDirectory(t)},
		"model":   block{"source": filepath.Join(dir, "model.gguf"), "checksum": "none", "license": "Apache-2.0"},
	}))
	t.Cleanup(func() { b.payload.discard() })
	return b, said
}

func (b *bake) runAll(ctx context.Context) error {
	return step.Run(ctx, &packersdk.MockUi{}, common.PackerConfig{}, "the bake", b.stages(func(string) {})...)
}

// run runs the stages up to and including the one with the title last.
func (b *bake) run(ctx context.Context, last string) error {
	for _, listed := range b.stages(func(string) {}) {
		s := listed.Step.(stage)
		if err := s.run(ctx); err != nil || s.title == last {
			return err
		}
	}
	return errors.New("no such stage: " + last)
}

func TestBake(t *testing.T) {
	m := machine(t)
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	b, said := newBake(t, m)
	b.base = baseImage(map[string]any{
		appliance.DataBaseImage: "debian-12", appliance.DataBaseImageSource: "https://u:geheim@example.org/d.qcow2?t=geheim",
		appliance.DataBaseImageDigest: goodDigest, appliance.DataBaseImageSize: "4711",
	})
	require.NoError(t, b.runAll(t.Context()))

	done := "uploads:\n" + strings.Join(m.Uploads(), "\n") + "\ncalls:\n" + strings.Join(m.Calls(), "\n") + "\n"
	const golden = "testdata/bake.txt"
	goldentest.Equal(t, golden, done)

	assert.Equal(t, string(program), m.Read(appliance.LocalAIBinary))
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
	assert.JSONEq(t, `{"context": "cloud-init", "model_id": "devstral-small-2", "model_name": "Devstral Small 2 24B", "quantization": "F32",
		"sampling": {"temperature": 0.15, "top_p": 0.95, "top_k": -1, "min_p": 0.01, "repeat_penalty": 1},
		"localai_version": "v4.9.0", "appliance_version": "1.0.0", "memory_mib": 1024, "min_memory_mib": 611}`, m.Read(appliance.BakedFile))
	assertBakedLock(t, m)
	for _, path := range []string{appliance.BakedLock, appliance.BakedSBOM} {
		info, err := os.Stat(m.Path(path))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o644), info.Mode().Perm(), path)
		assert.NotContains(t, m.Read(path), "geheim")
		assert.NotContains(t, m.Read(path), filepath.Dir(b.pinned[fieldModel].input.Source), "a path of this host")
	}
	assert.Contains(t, m.Read(appliance.BakedSBOM), `"created": "2023-11-14T22:13:20Z"`)
	assert.Contains(t, m.Read(appliance.BakedSBOM), "pkg:deb/debian/nginx@1.22.1-9")
	assert.NoFileExists(t, m.Path("/etc/nginx/sites-enabled/default"))
	assert.Equal(t, "events {\n\tworker_connections 8192;\n\t# multi_accept on;\n}\n", m.Read("/etc/nginx/nginx.conf"))
	assert.NoFileExists(t, m.Path("/usr/sbin/policy-rc.d"))
	assert.Contains(t, *said, "a token came after 1 s")
	b.payload.discard()
	left, err := filepath.Glob(filepath.Join(b.cacheDir, "*"))
	require.NoError(t, err)
	assert.Empty(t, left, "the packed backend is gone")
}

func assertBakedLock(t *testing.T, m *remotetest.Machine) {
	lock, err := lockfile.Read(m.Path(appliance.BakedLock))
	require.NoError(t, err)
	for i := range lock.Inputs {
		assert.Regexp(t, "^sha256:[0-9a-f]{64}$", lock.Inputs[i].Digest)
		assert.Positive(t, lock.Inputs[i].Size)
		if lock.Inputs[i].Kind != lockfile.KindBaseImage {
			lock.Inputs[i].Digest, lock.Inputs[i].Size = "", 0
		}
	}
	assert.Equal(t, []lockfile.Input{
		{Kind: lockfile.KindBaseImage, Name: "debian-12", Arch: "amd64", Source: "https://example.org/d.qcow2", Digest: goodDigest, Size: 4711},
		{Kind: lockfile.KindLocalAI, Name: "local-ai", Version: "v4.9.0", Arch: "amd64", Source: "local-ai"},
		{Kind: lockfile.KindBackend, Name: "llama-cpp", Arch: "amd64", Source: "cpu-llama-cpp"},
		{Kind: lockfile.KindModel, Name: "devstral-small-2", Source: "model.gguf", License: "Apache-2.0"},
	}, lock.Inputs)
}

// A second run finds everything in place, and leaves it there.
func TestBakeTwice(t *testing.T) {
	m := machine(t)
	b, _ := newBake(t, m)
	require.NoError(t, b.runAll(t.Context()))
	first := len(m.Uploads())
	m.Write("/etc/machine-id", "")
	m.Stub("dpkg-query", `case "$*" in *source:Package*) printf 'installed\tnginx\t1.22.1-9\tamd64\tnginx\n' ;; *) echo installed 1 ;; esac`)
	again, said := newBake(t, m)
	again.config = b.config
	require.NoError(t, again.runAll(t.Context()))
	assert.Contains(t, *said, "the model devstral-small-2 is there already")
	assert.Contains(t, *said, "LocalAI is there already")
	assert.Contains(t, *said, "the agent is there already")
	assert.Len(t, m.Uploads(), first, "no other file")

	whole := m.Read(modelFile)
	m.Write(modelFile, "x"+whole[1:])
	third, said := newBake(t, m)
	third.config = b.config
	require.NoError(t, third.runAll(t.Context()))
	assert.NotContains(t, *said, "the model devstral-small-2 is there already")
	assert.Equal(t, whole, m.Read(modelFile), "a file of the same size is another one")
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
	m.Write("/etc/os-release", "ID=fedora\nVERSION_ID=40\n")
	m.Stub("id", "echo 7")
	m.Stub("uname", "echo riscv64")
	require.NoError(t, os.RemoveAll(m.Path("/run/systemd")))
	b, _ := newBake(t, m)
	require.NoError(t, os.Remove(m.Path("/programs/cloud-init")))
	assert.EqualError(t, b.checkMachine(t.Context()), `the login is not root but uid 7: set ssh_username = "root" in the source
the operating system is "fedora 40", not one of ubuntu 22.04, ubuntu 24.04, ubuntu 26.04, debian 12, debian 13: use another base image
systemd is not running: use a base image that boots with systemd
the architecture is "riscv64", not x86_64 or aarch64: use another base image
there is no cloud-init to apply the context: use a base image that has it, or set context = "one-context"`)

	m = machine(t)
	m.Stub("uname", "echo aarch64")
	m.Stub("NetworkManager", "")
	b, _ = newBake(t, m)
	b.config.Context = appliance.OneContext
	b.config.ContextPackage.Source = "one-context.deb"
	b.config.lock = fullLock()
	b.config.LocalAI = LocalAI{}
	assert.EqualError(t, b.checkMachine(t.Context()), `NetworkManager is installed, which writes over the network configuration of one-context: use a base image without it
this plugin was built without the agent for arm64: run make build
localai: `+lockedEngine2+" is not pinned: run `make lock`, set the checksum, or set allow_unpinned = true\n"+
		"context_package: one-context.deb is not pinned: run `make lock`, set the checksum, or set allow_unpinned = true")
	assert.Empty(t, m.Uploads())
}

func TestTheVersionOfTheApplianceIsThatOfTheImage(t *testing.T) {
	for name, tt := range map[string]struct{ own, image, want, mistake string }{
		"of the source":       {"", "1.1.0", "1.1.0", ""},
		"the same twice":      {"1.1.0", "1.1.0", "1.1.0", ""},
		"of another source":   {"2.0.0", "", "2.0.0", ""},
		"nobody says":         {"", "", "1.0.0", ""},
		"two that contradict": {"1.0.0", "1.1.0", "", "appliance_version: 1.0.0, but image_version of the source is 1.1.0: leave appliance_version out, and set image_version in the source to the one that is meant"},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(t)
			b, _ := newBake(t, m)
			b.config.ApplianceVersion, b.version = tt.own, imageVersion(map[string]any{"ImageVersion": tt.image})
			err := b.checkMachine(t.Context())
			if tt.mistake != "" {
				assert.EqualError(t, err, tt.mistake)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, b.config.ApplianceVersion)
		})
	}
}

// The smoke test would fail in such a machine, after the weights were uploaded.
func TestAMachineTooSmallForTheModelIsToldBeforeTheUpload(t *testing.T) {
	m := machine(t)
	m.Write("/proc/meminfo", "MemTotal:         200000 kB\nMemFree: 1 kB\n")
	b, _ := newBake(t, m)
	err := b.runAll(t.Context())
	require.ErrorContains(t, err, "fetch engine, backend and model: the machine has 195 MiB of memory, in which the model does not start: set memory of the source to ")
	assert.Empty(t, m.Uploads())

	m.Write("/proc/meminfo", "MemTotal:        4000000 kB\n")
	lock := fullLock()
	lock.Inputs[4].Size = 14 << 30
	b, _ = newBake(t, m)
	b.config.lock, b.config.Model = lock, Model{ID: "qwen"}
	assert.EqualError(t, b.checkMachine(t.Context()), "the machine has 3906 MiB of memory, the weights of the model alone are 14336 MiB: "+
		"set memory of the source to what the model wants, or give the source the block model, which does")
}

func TestSystems(t *testing.T) {
	for text, right := range map[string]bool{
		"ID=debian\nVERSION_ID=\"12\"\n": true, "ID=debian\nVERSION_ID=\"13\"\n": true,
		"ID=ubuntu\nVERSION_ID=\"22.04\"\n": true, "ID=ubuntu\nVERSION_ID=\"24.04\"\n": true,
		"ID=ubuntu\nVERSION_ID=\"26.04\"\n": true, "ID=ubuntu\nVERSION_ID=\"25.10\"\n": false,
		"ID=debian\nVERSION_ID=\"11\"\n": false, "ID=ubuntu\nVERSION_ID=\"20.04\"\n": false,
		"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"22\"\n": false, "ID=debian\n": false,
	} {
		m := machine(t)
		m.Write("/etc/os-release", text)
		b, _ := newBake(t, m)
		assert.Equal(t, right, b.checkMachine(t.Context()) == nil, text)
	}
}

// compressed is a file that begins as a compressed one does.
func compressed(t *testing.T, name, start string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(start+strings.Repeat("x", 1024)), 0o644))
	return path
}

func TestPayloadMistakes(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, c *Config)
		err   string
	}{
		"a compressed engine": {func(t *testing.T, c *Config) {
			c.LocalAI = LocalAI{Source: compressed(t, "local-ai.gz", "\x1f\x8b"), Checksum: "none"}
		},
			"local-ai.gz is compressed (gzip): unpack it first (gunzip < local-ai.gz > local-ai)"},
		"a compressed backend": {func(t *testing.T, c *Config) {
			c.Backend = Backend{Source: compressed(t, "b.tar.xz", "\xfd7zXZ\x00"), Checksum: "none"}
		},
			"b.tar.xz is compressed (xz): unpack it first (unxz < b.tar.xz > b.tar)"},
		"a compressed model": {func(t *testing.T, c *Config) {
			c.Model = Model{Source: compressed(t, "m.gguf.zst", "\x28\xb5\x2f\xfd"), Checksum: "none", ID: "x"}
		},
			"model.source: m.gguf.zst is compressed (zstd): unpack it first (unzstd < m.gguf.zst > m.gguf)"},
		"missing engine":  {func(_ *testing.T, c *Config) { c.LocalAI.Source += "x" }, "localai.source: stat "},
		"wrong engine":    {func(_ *testing.T, c *Config) { c.LocalAI.Checksum = goodDigest }, "localai.checksum: "},
		"missing backend": {func(_ *testing.T, c *Config) { c.Backend.Source += "x" }, "is not a directory, and only a directory needs no backend.checksum"},
		"another architecture": {func(t *testing.T, c *Config) {
			arm := bytes.Clone(program)
			arm[18] = 0xb7
			require.NoError(t, os.WriteFile(c.LocalAI.Source, arm, 0o644))
		}, "is for EM_AARCH64, the machine needs EM_X86_64 (amd64)"},
		"not a program": {func(t *testing.T, c *Config) {
			require.NoError(t, os.WriteFile(c.LocalAI.Source, []byte("<html>sign in</html>"), 0o644))
		}, "is not a program for Linux: bad magic number"},
		"directory with checksum": {func(_ *testing.T, c *Config) { c.Backend.Checksum = goodDigest }, "is a directory and has no checksum: remove the attribute"},
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
	assert.NotErrorIs(t, err, io.EOF)
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
