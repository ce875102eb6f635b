package demo_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/imagefiles"
)

// fileSystem is the root file system of a finished image, read without mounting it.
type fileSystem struct {
	// device is what debugfs opens: a raw disk and where the file system starts in it.
	device string
}

func openImage(t *testing.T, image string) fileSystem {
	t.Helper()
	disk := filepath.Join(outputDirectory(t), "disk.raw")
	output, err := exec.CommandContext(t.Context(), "qemu-img", "convert", "-O", "raw", image, disk).CombinedOutput()
	require.NoError(t, err, "%s", output)
	return fileSystem{device: disk + "?offset=134217728"} // base-image.sh puts it at 128 MiB
}

func (f fileSystem) debugfs(t *testing.T, request string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "/sbin/debugfs", "-R", request, f.device)
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	require.NoError(t, command.Run(), stderr.String())
	// debugfs exits with 0 whatever happens.
	if strings.Contains(stderr.String(), "File not found") {
		return "", assert.AnError
	}
	return stdout.String(), nil
}

func (f fileSystem) exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := f.debugfs(t, "stat "+path)
	return err == nil
}

func (f fileSystem) read(t *testing.T, path string) string {
	t.Helper()
	text, err := f.debugfs(t, "cat "+path)
	require.NoError(t, err, path)
	return text
}

// names lists a directory.
func (f fileSystem) names(t *testing.T, path string) []string {
	t.Helper()
	text, err := f.debugfs(t, "ls -p "+path)
	require.NoError(t, err, path)
	var names []string
	for line := range strings.Lines(text) {
		// /inode/mode/uid/gid/name/size/
		fields := strings.Split(line, "/")
		if len(fields) > 5 && fields[5] != "." && fields[5] != ".." && fields[5] != "" {
			names = append(names, fields[5])
		}
	}
	return names
}

// What belongs to one machine, or to the build, must not be in an image that many
// machines are made from.
func testImageIsClean(t *testing.T, made demo) {
	image := openImage(t, made.image)

	for _, name := range image.names(t, "/etc/ssh") {
		assert.NotContains(t, name, "ssh_host_", "a host key")
	}
	assert.Empty(t, strings.TrimSpace(image.read(t, "/etc/machine-id")))
	assert.False(t, image.exists(t, "/root/.ssh/authorized_keys"))
	assert.False(t, image.exists(t, "/var/lib/cloud/instance"))
	for _, path := range imagefiles.PerVMState() {
		assert.False(t, image.exists(t, path), path)
	}
	for line := range strings.Lines(image.read(t, "/etc/shadow")) {
		hash := strings.Split(line, ":")[1]
		assert.True(t, strings.HasPrefix(hash, "!") || hash == "*", "%s has a password", strings.Split(line, ":")[0])
	}
	assert.NotContains(t, image.names(t, "/usr/sbin"), "policy-rc.d")

	assert.Equal(t, appliance.InstallSuccess, strings.TrimSpace(image.read(t, appliance.StatusFile)))
	for _, unit := range imagefiles.Units() {
		target := "multi-user.target"
		if strings.HasSuffix(unit, ".timer") {
			target = "timers.target"
		}
		assert.True(t, image.exists(t, "/etc/systemd/system/"+target+".wants/"+unit), "%s is not enabled", unit)
	}
	assert.True(t, image.exists(t, appliance.ModelsDir+"/"+appliance.ModelFile))
}
