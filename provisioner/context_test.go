package provisioner

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func TestCloudInitAsksOpenNebulaAlone(t *testing.T) {
	m := machine(t)
	m.Write("/etc/cloud/cloud.cfg.d/90_dpkg.cfg", "datasource_list: [ Ec2, None ]\n")
	b, _ := newBake(t, m)
	require.NoError(t, b.run(t.Context(), "set up the context"))
	assert.Contains(t, m.Read(dataSourcesFile), "\ndatasource_list: [ OpenNebula, NoCloud, None ]\n")
	entries, err := os.ReadDir(m.Path("/etc/cloud/cloud.cfg.d"))
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	sort.Strings(names)
	assert.Equal(t, filepath.Base(dataSourcesFile), names[len(names)-1], "the last one wins")
}

// The package is a stand-in with the fields that matter. A test in a real machine installs
// the real one.
func TestOneContext(t *testing.T) {
	m := machine(t)
	withApt(t, m)
	deb, status := filepath.Join(t.TempDir(), "one-context.deb"), ""
	makeDeb(t, deb, "one-context", "7.2.1-1", "libpcre")
	// What a real machine has installed by then, as far as apt needs to know.
	for _, name := range []string{"cloud-init", "cloud-initramfs-growroot"} {
		status += "Package: " + name + "\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n\n"
	}
	m.Write("/state/status", status)
	m.Stub("dpkg-query", `case "$*" in
		*cloud-init*) printf 'config-files cloud-init\nnot-installed cloud-init-base\ninstalled cloud-initramfs-growroot\n' ;;
		*one-context) exit 1 ;;
		*) echo installed 1 ;; esac`)
	b, said := newBake(t, m)
	b.config.Context = appliance.OneContext
	b.config.ContextPackage = ContextPackage{Source: deb, Checksum: "none"}
	b.config.PackageDirectory = filled(t)
	gone := []string{
		"/etc/cloud/cloud.cfg", "/var/lib/cloud/instance", "/etc/netplan/50-cloud-init.yaml", "/etc/netplan/90-NM-1.yaml",
		"/etc/network/interfaces.1795397770", "/etc/sudoers.d/90-cloud-init-users", "/var/log/cloud-init.log",
		"/etc/one-context.d/net-15-hostname.bak", "/etc/one-context.d/net-99-report-ready.dpkg-old", "/etc/one-context.d/loc-10~",
	}
	kept := []string{"/etc/network/interfaces", "/etc/one-context.d/net-99-report-ready", "/etc/one-context.d/loc-10-network.d/netcfg-netplan.bak"}
	for _, path := range append(append([]string{}, gone...), kept...) {
		m.Write(path, "x")
	}
	require.NoError(t, b.run(t.Context(), "set up the context"))
	for _, path := range gone {
		assert.NoFileExists(t, m.Path(path))
	}
	for _, path := range kept {
		assert.FileExists(t, m.Path(path))
	}
	calls := strings.Join(m.Calls(), "\n")
	assert.Contains(t, calls, "install --no-install-recommends /var/tmp/slm-copilot-context/one-context.deb")
	assert.Contains(t, calls, "purge cloud-init cloud-initramfs-growroot\n")
	assert.Contains(t, calls, "systemctl --quiet enable one-context-local.service one-context-online.service one-context.service one-context-reconfigure.timer")
	assert.Contains(t, *said, "removed "+m.Path("/etc/one-context.d/net-15-hostname.bak")+", which would run at every boot")
	assert.NoFileExists(t, m.Path(dataSourcesFile))

	t.Run("again", func(t *testing.T) {
		m.Stub("dpkg-query", `case "$*" in *cloud-init*) exit 1 ;; *one-context) echo installed 7.2.1-1 ;; *) echo installed 1 ;; esac`)
		before := len(m.Calls())
		require.NoError(t, b.run(t.Context(), "set up the context"))
		for _, call := range m.Calls()[before:] {
			assert.NotContains(t, call, "apt-get")
		}
	})
	t.Run("another version", func(t *testing.T) {
		m.Stub("dpkg-query", `case "$*" in *cloud-init*) exit 1 ;; *one-context) echo installed 6.10.0-1 ;; *) echo installed 1 ;; esac`)
		require.NoError(t, b.run(t.Context(), "install packages"))
		calls := m.Calls()
		assert.Contains(t, strings.Join(calls[len(calls)-5:], "\n"), "install --no-install-recommends /var/tmp/slm-copilot-context/one-context.deb")
	})
}
