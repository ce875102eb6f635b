package provisioner

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

func TestPackages(t *testing.T) {
	t.Run("all there", func(t *testing.T) {
		m := machine(t)
		m.Stub("dpkg-query", "echo installed 1")
		b, _ := newBake(t, m)
		require.NoError(t, b.installPackages(t.Context()))
		assert.NotContains(t, strings.Join(m.Calls(), "\n"), "apt-get")
	})
	t.Run("mirror down", func(t *testing.T) {
		m := machine(t)
		m.Write("/usr/sbin/policy-rc.d", "the image's own")
		m.Stub("apt-get", "echo E: Unable to locate package nginx >&2; exit 100")
		b, _ := newBake(t, m)
		err := b.installPackages(t.Context())
		require.ErrorContains(t, err, "E: Unable to locate package nginx\n  apt-get update failed: the machine needs a package mirror, or package_directory, or a base image that holds nginx certbot")
		assert.NotContains(t, m.Calls(), "sleep 10", "no mirror failed")
		assert.Equal(t, "the image's own", m.Read("/usr/sbin/policy-rc.d"), "put back even then")
	})
	t.Run("for zstd, and others", func(t *testing.T) {
		b, _ := newBake(t, machine(t))
		b.pinned = map[string]pinned{fieldBackend: {input: lockfile.Input{Source: "b.tar.zst"}}}
		b.config.Packages = []string{"htop"}
		assert.Equal(t, []string{"nginx", "certbot", "zstd", "htop"}, b.packages())
	})
}

// local describes a local file the way fetch would.
func local(t *testing.T, path string) fetch.File {
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	sum := sha256.Sum256(content)
	return fetch.File{Path: path, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content))}
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
			b.payload.backend = local(t, m.Path("/b.tar"))
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
			require.NoError(t, b.run(t.Context(), "fetch engine, backend and model"))
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
	require.NoError(t, b.run(t.Context(), "fetch engine, backend and model"))
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
		"/var/lib/dhcp/dhclient.leases", "/etc/.resolv.conf.systemd-resolved.bak", "/tmp/x/y", "/var/tmp/.hidden", "/var/log/syslog.1", "/var/log/dpkg.log.2.gz",
		"/var/log/journal/0123/system.journal", "/var/log/Xorg.0.log.old", "/etc/passwd-", "/etc/shadow-", "/etc/group-", "/etc/gshadow-",
		"/etc/subuid-", "/etc/subgid-", "/etc/sudoers.d/90-cloud-init-users", "/var/lib/systemd/credential.secret",
		"/var/lib/nginx/body/0000000001", "/var/lib/NetworkManager/internal-eth0.lease", "/root/.cache/x", "/root/.wget-hsts", "/root/.lesshst",
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
	assert.Contains(t, m.Calls(), "systemctl stop systemd-random-seed.service", "or it saves a seed at shutdown")
	require.NoError(t, b.cleanUp(t.Context()), "a second time finds nothing to do")
}

// A second hard link shows what is in the blocks of a deleted file.
func TestCleanUpOverwritesKeys(t *testing.T) {
	const secret = "a key of this machine"
	m := machine(t)
	keys := []string{appliance.PasswordFile, appliance.CAKey, "/etc/ssh/ssh_host_rsa_key"}
	for i, path := range keys {
		m.Write(path, secret)
		require.NoError(t, os.Link(m.Path(path), m.Path(fmt.Sprintf("/link%d", i))))
	}
	b, _ := newBake(t, m)
	require.NoError(t, b.cleanUp(t.Context()))
	for i, path := range keys {
		assert.NoFileExists(t, m.Path(path))
		content := m.Read(fmt.Sprintf("/link%d", i))
		assert.NotEmpty(t, content, path)
		assert.Empty(t, strings.Trim(content, "\x00"), path)
	}
}

func TestBackendIsReadOnlyForOthers(t *testing.T) {
	m := machine(t)
	m.Write("/src/run.sh", "new")
	m.Write("/src/lib/libggml.so", "elf")
	for path, mode := range map[string]os.FileMode{"/src/run.sh": 0o660, "/src/lib/libggml.so": 0o666, "/src/lib": 0o777, "/src": 0o770} {
		require.NoError(t, os.Chmod(m.Path(path), mode))
	}
	b, _ := newBake(t, m)
	_, err := b.machine.Run(t.Context(), remote.Script{Text: "tar -C /src -cf /b.tar .", Timeout: packagesTimeout})
	require.NoError(t, err)
	b.payload.backend = local(t, m.Path("/b.tar"))
	require.NoError(t, b.installBackend(t.Context()))
	for path, want := range map[string]os.FileMode{"": 0o755, "/lib": 0o755, "/run.sh": 0o755, "/lib/libggml.so": 0o644} {
		info, err := os.Stat(m.Path(appliance.BackendsDir + "/llama-cpp" + path))
		require.NoError(t, err)
		assert.Equal(t, want, info.Mode().Perm(), "llama-cpp%s", path)
	}
}
