package catalog

import (
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
)

// driverReads lets OpenNebula's own driver read the marketplace at endpoint, and returns the
// template of each app as oned gets it, by name. ONE_MARKET_DRIVER names the driver of a
// front-end, /var/lib/one/remotes/market/one/monitor.
func driverReads(t *testing.T, endpoint string) map[string]string {
	t.Helper()
	program := os.Getenv("ONE_MARKET_DRIVER")
	if program == "" {
		t.Skip("ONE_MARKET_DRIVER names no driver of a front-end")
	}
	message := `<DS_DRIVER_ACTION_DATA><MARKETPLACE><TEMPLATE><ENDPOINT>` + endpoint + `</ENDPOINT></TEMPLATE></MARKETPLACE></DS_DRIVER_ACTION_DATA>`
	command := exec.CommandContext(t.Context(), "ruby", program, base64.StdEncoding.EncodeToString([]byte(message)))
	command.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	apps := map[string]string{}
	for _, match := range regexp.MustCompile(`APP="([^"]+)"`).FindAllStringSubmatch(string(output), -1) {
		template := decode(t, match[1])
		apps[attribute(t, template, "NAME")] = template
	}
	return apps
}

func decode(t *testing.T, text string) string {
	t.Helper()
	content, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return string(content)
}

func attribute(t *testing.T, template, name string) string {
	t.Helper()
	match := regexp.MustCompile(`(?m)^` + name + `="(.*)"$`).FindStringSubmatch(template)
	require.NotNil(t, match, "%s in %s", name, template)
	return match[1]
}

func TestOpenNebulasDriverReadsOneImage(t *testing.T) {
	address := nginxtest.FreeAddress(t)
	endpoint := "http://" + address
	dir := filepath.Join(t.TempDir(), "market")
	img := newImage(t, t.TempDir(), 1000)
	publishAt(t, dir, endpoint, "1.0.0", img)
	serve(t, filepath.Join(dir, siteFile), address)

	apps := driverReads(t, endpoint)
	require.Len(t, apps, 1)
	app := apps["SLM-Copilot 1.0.0"]
	assert.Equal(t, "IMAGE", attribute(t, app, "TYPE"))
	assert.Equal(t, "1.0.0", attribute(t, app, "VERSION"))
	assert.Equal(t, "x86_64", attribute(t, app, "ARCHITECTURE"))
	assert.Equal(t, img.manifest.MD5, attribute(t, app, "MD5"))
	assert.Equal(t, "40960", attribute(t, app, "SIZE"), "MiB of the disk")
	assert.Equal(t, `Example \"Org\"`, attribute(t, app, "PUBLISHER"))
	assert.NotContains(t, app, "<nil>")

	template := decode(t, attribute(t, app, "VMTEMPLATE64"))
	assert.Contains(t, template, `CPU_MODEL = [ `)
	assert.Contains(t, template, `ONEAPP_COPILOT_PASSWORD ="$ONEAPP_COPILOT_ACCESS_PASSWORD"`)
	assert.Contains(t, template, `SCHED_REQUIREMENTS = "HYPERVISOR=kvm"`)

	source := attribute(t, app, "SOURCE")
	response, body := get(t, source)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Len(t, body, 1000)
}

func TestOpenNebulasDriverReadsASet(t *testing.T) {
	address := nginxtest.FreeAddress(t)
	endpoint := "http://" + address
	dir := filepath.Join(t.TempDir(), "market")
	for _, arch := range []string{"x86_64", "aarch64"} {
		set := newSet(t)
		set[0].manifest.OSArch = arch
		publishSetAt(t, dir, endpoint, set)
	}
	serve(t, filepath.Join(dir, siteFile), address)

	apps := driverReads(t, endpoint)
	assert.Len(t, apps, 6, "the architectures do not replace each other")
	for title, arch := range map[string]string{"SLM-Copilot 1.0.0": "x86_64", "SLM-Copilot 1.0.0 aarch64": "aarch64"} {
		system, model, machine := apps[title+" system"], apps[title+" model"], apps[title]
		for _, disk := range []string{system, model} {
			assert.NotContains(t, disk, "VMTEMPLATE64", "the importer would make a VM template of it")
			assert.Equal(t, "IMAGE", attribute(t, disk, "TYPE"))
		}
		assert.Contains(t, decode(t, attribute(t, system, "APPTEMPLATE64")), `TYPE="OS"`)
		assert.Contains(t, decode(t, attribute(t, model, "APPTEMPLATE64")), `TYPE="DATABLOCK"`)

		assert.Equal(t, "VMTEMPLATE", attribute(t, machine, "TYPE"))
		assert.Equal(t, arch, attribute(t, machine, "ARCHITECTURE"))
		// Its order is that of the disks.
		disks := regexp.MustCompile(`(?s)DISK = \[ NAME = "[0-9a-f]+",\s+APP="([^"]+)" \]`).FindAllStringSubmatch(machine, -1)
		require.Len(t, disks, 2, machine)
		assert.Equal(t, title+" system", disks[0][1])
		assert.Equal(t, title+" model", disks[1][1])
		assert.Contains(t, decode(t, machine[strings.LastIndex(machine, `APPTEMPLATE64="`)+15:len(machine)-2]), `VCPU = "16"`)
	}
}

func publishSetAt(t *testing.T, dir, endpoint string, set []image) {
	t.Helper()
	c, err := Open(t.Context(), dir, baseURL(t, endpoint), silent)
	require.NoError(t, err)
	entries, err := NewEntries(exampleApp("1.0.0"), []manifest.Manifest{set[0].manifest, set[1].manifest}, c.base)
	require.NoError(t, err)
	for i, img := range set {
		require.NoError(t, c.PlaceImage(t.Context(), entries[i], img.path, img.manifest.FileSize, nil))
	}
	for _, e := range entries {
		require.NoError(t, c.WriteApp(e))
	}
	require.NoError(t, c.Publish(entries, Options{}))
	require.NoError(t, c.Close())
}
