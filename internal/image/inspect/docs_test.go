package inspect

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
)

// shellBlock is one example in a page of the documentation.
var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// What the documentation says to type works as it stands there, on an image laid out like
// Debian's.
func TestCommandsOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../../docs/image.md")
	require.NoError(t, err)
	commands := shellBlock.FindSubmatch(page)
	require.NotNil(t, commands)
	const start = 128 * mebibyte
	tree := goodFiles(t)
	disk := emptyDisk(t, start+rootSize, mbr(linuxType, qemuimg.Part{Start: start, Size: rootSize}))
	writeAt(t, disk, makeExt4(t, 4096, rootSize, tree), start)

	directory := t.TempDir()
	require.NoError(t, os.Rename(makeImage(t, disk), filepath.Join(directory, "slm-copilot-1.0.0-x86_64.qcow2")))
	shell := exec.CommandContext(t.Context(), "sh", "-eu", "-c", string(commands[1]))
	shell.Dir, shell.Env = directory, append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin")
	output, err := shell.CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, want := range []string{
		"262144", "/sshd_config/", tree["/etc/shadow"], tree[appliance.BakedLock], strings.TrimPrefix(digestOf(weights), "sha256:"),
	} {
		assert.Contains(t, string(output), want)
	}
}
