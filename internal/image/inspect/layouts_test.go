package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
)

// layouts are the disks on which a root file system may lie.
var layouts = map[string]struct {
	table    []byte
	start    int64
	diskSize int64
}{
	"whole disk":                    {nil, 0, rootSize},
	"whole disk with a boot sector": {mbr(linuxType), 0, rootSize},
	"whole disk with boot code":     {mbr(linuxType, qemuimg.Part{Start: rootSize, Size: rootSize}), 0, rootSize},
	"MBR":                           {mbr(linuxType, rootPart), rootStart, rootStart + rootSize},
	"GPT":                           {gpt(rootStart+rootSize+mebibyte, rootPart), rootStart, rootStart + rootSize + mebibyte},
}

// Every layout is read in full by this host's e2fsprogs and qemu-img, free blocks included.
func TestLayouts(t *testing.T) {
	for name, layout := range layouts {
		for _, blockSize := range []int{1024, 4096} {
			t.Run(fmt.Sprintf("%s, blocks of %d", name, blockSize), func(t *testing.T) {
				content := makeExt4(t, blockSize, rootSize, goodFiles(t).with(treeFiles{"/etc/ssh/ssh_host_rsa_key": "x"}))
				disk := emptyDisk(t, layout.diskSize, nil)
				writeAt(t, disk, content, layout.start)
				writeAt(t, disk, layout.table, 0)
				assertReadInFull(t, makeImage(t, disk), int64(blockSize))
			})
		}
	}
}

// assertReadInFull finds the one thing that is wrong in an image, its free blocks, and what
// was deleted in them.
func assertReadInFull(t *testing.T, image string, blockSize int64) {
	t.Helper()
	err := inspect(t, image)
	require.ErrorContains(t, err, "slm-copilot.qcow2 is not fit to be published:\n  /etc/ssh/ssh_host_rsa_key: an SSH host key")
	assert.NotContains(t, err.Error(), "unmounted")

	directory := t.TempDir()
	root, err := disk{image, directory, func(string) {}}.findRoot(t.Context())
	require.NoError(t, err)
	u, err := root.usage(t.Context())
	require.NoError(t, err)
	assert.Equal(t, blockSize, u.blockSize)
	assert.True(t, u.clean)
	require.NotEmpty(t, u.free)
	last := u.free[len(u.free)-1].last
	assert.Equal(t, rootSize/blockSize-1, last, "the last block is free")
	writeAt(t, root.path(), []byte("-----BEGIN PRIVATE KEY-----\n"), last*blockSize)
	left, err := root.leftovers(t.Context(), u)
	require.NoError(t, err)
	assert.Equal(t, leftovers{bytes: blockSize, keys: 1}, left)
}

// Since 1.47.2 dumpe2fs takes a name with = in it for a tag.
func TestNamesMeanNothingToE2fsprogs(t *testing.T) {
	real, err := hostprogram.Find("dumpe2fs", distributionPackage)
	require.NoError(t, err)
	programs := t.TempDir()
	script := "#!/bin/sh\nfor name; do case $name in *=*|*\\?*) echo \"dumpe2fs: Unable to resolve '$name'\" >&2; exit 1 ;; esac; done\nexec " + real + ` "$@"` + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(programs, "dumpe2fs"), []byte(script), 0o755))
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))
	assert.NoError(t, inspect(t, makeImage(t, makeDisk(t, goodFiles(t)))))
}
