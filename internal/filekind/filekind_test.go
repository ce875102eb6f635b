package filekind

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, content string) string {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

// at is a file of zeros with a text at an offset, and more after it.
func at(offset int, text string) string {
	return strings.Repeat("\x00", offset) + text + strings.Repeat("\x00", 4096)
}

func TestKinds(t *testing.T) {
	for name, tt := range map[string]struct{ content, want string }{
		"disk.img.xz":   {at(0, "\xfd7zXZ\x00"), "disk.img.xz is compressed (xz): unpack it first (unxz < disk.img.xz > disk.img)"},
		"m.gguf.gz":     {at(0, "\x1f\x8b\x08"), "m.gguf.gz is compressed (gzip): unpack it first (gunzip < m.gguf.gz > m.gguf)"},
		"disk.raw.zst":  {at(0, "\x28\xb5\x2f\xfd"), "disk.raw.zst is compressed (zstd): unpack it first (unzstd < disk.raw.zst > disk.raw)"},
		"disk.bz2":      {at(0, "BZh91AY&SY"), "disk.bz2 is compressed (bzip2): unpack it first (bunzip2 < disk.bz2 > disk)"},
		"disk":          {at(0, "\xfd7zXZ\x00"), "disk is compressed (xz): unpack it first (unxz < disk > disk.new)"},
		"a/b.zip":       {at(0, "PK\x03\x04"), "a/b.zip is compressed (zip): unpack it first (unzip b.zip), and use the file in it that is meant"},
		"disk.7z":       {at(0, "7z\xbc\xaf\x27\x1c"), "disk.7z is compressed (7z): unpack it first (7z x disk.7z), and use the file in it that is meant"},
		"disk.vmdk":     {at(0, "KDMV\x01"), "disk.vmdk is a VMDK image: ask whoever made it for a QCOW2 image, or, if you made it yourself, make one of it (qemu-img convert -f vmdk -O qcow2 disk.vmdk disk.vmdk.qcow2)"},
		"text.vmdk":     {"# Disk DescriptorFile\nversion=1\n", "text.vmdk is the descriptor of a VMDK image, whose data is in other files: ask whoever made it for a QCOW2 image"},
		"disk.vdi":      {at(64, "\x7f\x10\xda\xbe"), "disk.vdi is a VDI image: make a QCOW2 image of it first (qemu-img convert -f vdi -O qcow2 disk.vdi disk.vdi.qcow2)"},
		"disk.vhdx":     {at(0, "vhdxfile"), "disk.vhdx is a VHDX image: make a QCOW2 image of it first (qemu-img convert -f vhdx -O qcow2 disk.vhdx disk.vhdx.qcow2)"},
		"dynamic.vhd":   {at(0, "conectix"), "dynamic.vhd is a VHD image: make a QCOW2 image of it first (qemu-img convert -f vpc -O qcow2 dynamic.vhd dynamic.vhd.qcow2)"},
		"fixed.vhd":     {at(510, "\x55\xaa") + "conectix" + strings.Repeat("\x00", 504), "fixed.vhd is a VHD image: make a QCOW2 image of it first (qemu-img convert -f vpc -O qcow2 fixed.vhd fixed.vhd.qcow2)"},
		"install.iso":   {at(510, "\x55\xaa") + strings.Repeat("\x00", 32769-4608) + "CD001", "install.iso is an ISO 9660 medium, such as an installer comes on: use a cloud image, which has an installed system"},
		"disk.ova":      {at(257, "ustar"), "disk.ova is a tar archive: unpack it first (tar -xf disk.ova), and use the image in it"},
		"disk.raw":      {at(510, "\x55\xaa"), "disk.raw is a raw image of a disk: make a QCOW2 image of it first (qemu-img convert -f raw -O qcow2 disk.raw disk.raw.qcow2)"},
		"gpt.raw":       {at(512, "EFI PART"), "gpt.raw is a raw image of a disk: make a QCOW2 image of it first (qemu-img convert -f raw -O qcow2 gpt.raw gpt.raw.qcow2)"},
		"root.squashfs": {at(0, "hsqs"), "root.squashfs is a SquashFS file system: use a cloud image, which has a disk with a boot loader around it"},
		"page":          {"<!DOCTYPE html><html>", "page is a web page: use the address of the file itself, to which such a page links"},
		"text":          {"text", ""},
		"empty":         {"", ""},
		"zeros":         {at(0, ""), ""},
		"half a sign":   {"\xfd7zX", ""},
	} {
		kind, err := Of(write(t, tt.content))
		require.NoError(t, err, name)
		assert.Equal(t, tt.want, kind.Explain(name))
		assert.Equal(t, tt.want != "", kind.Known(), name)
	}
	_, err := Of(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = Of(t.TempDir())
	assert.Error(t, err)
}

// What real programs write is recognized.
func TestKindsOfWhatProgramsWrite(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(in("raw"), bytes.Repeat([]byte("disk"), 1<<18), 0o644))
	for format, want := range map[string]string{
		"vmdk": "is a VMDK image", "vdi": "is a VDI image", "vhdx": "is a VHDX image", "vpc": "is a VHD image", "qed": "is a QED image", "parallels": "is a Parallels image", "qcow2": "",
	} {
		out, err := exec.Command("qemu-img", "convert", "-f", "raw", "-O", format, in("raw"), in("disk."+format)).CombinedOutput()
		require.NoError(t, err, "%s", out)
		kind, err := Of(in("disk." + format))
		require.NoError(t, err)
		assert.Equal(t, want, kind.Is, format)
	}
	for _, program := range []string{"xz", "zstd", "bzip2", "gzip"} {
		out, err := exec.Command(program, "-k", in("raw")).CombinedOutput()
		require.NoError(t, err, "%s", out)
		suffix := map[string]string{"xz": ".xz", "zstd": ".zst", "bzip2": ".bz2", "gzip": ".gz"}[program]
		kind, err := Of(in("raw") + suffix)
		require.NoError(t, err)
		assert.Equal(t, "is compressed ("+program+")", kind.Is)
		// The advice does what it says.
		advice := kind.Explain("raw" + suffix)
		command := strings.TrimSuffix(advice[strings.LastIndex(advice, "(")+1:], ")")
		require.NoError(t, os.Rename(in("raw"), in("before")))
		run := exec.Command("sh", "-c", command)
		run.Dir = dir
		out, err = run.CombinedOutput()
		require.NoError(t, err, "%s", out)
		before, err := os.ReadFile(in("before"))
		require.NoError(t, err)
		after, err := os.ReadFile(in("raw"))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(before, after), command)
	}
}

func TestInstead(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	require.NoError(t, w.Close())
	first := errors.New("no such magic")
	require.EqualError(t, Instead(first, write(t, packed.String()), "a.gz"), "a.gz is compressed (gzip): unpack it first (gunzip < a.gz > a)")
	assert.Equal(t, first, Instead(first, write(t, "KDMV"), "a"), "no model is a disk")
	assert.Equal(t, first, Instead(first, write(t, "text"), "a"))
	assert.Equal(t, first, Instead(first, "/none", "a"))
	assert.NoError(t, Instead(nil, write(t, packed.String()), "a"))
}
