package qemuimg

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// made returns an image that qemu-img makes in a directory of its own, where the file "secret"
// is what nobody may read through it.
func made(t *testing.T, arguments ...string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("secret", bytes.Repeat([]byte("secret "), mebibyte), 0o600))
	output, err := exec.CommandContext(t.Context(), Program, append([]string{"create", "-q", "-f", Format}, arguments...)...).CombinedOutput()
	require.NoError(t, err, "%s", output)
	image, err := filepath.Abs("disk.qcow2")
	require.NoError(t, err)
	return image
}

// patched changes the header of an image as no program would.
func patched(t *testing.T, image string, offset int64, value ...byte) string {
	t.Helper()
	file, err := os.OpenFile(image, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = file.WriteAt(value, offset)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return image
}

// An image can name any file of this machine, and programs that open it read that file. It is
// refused by what its header says, before any program opens it.
func TestReferencesToOtherFilesAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		image func(*testing.T) string
		want  string
	}{
		"a raw backing file": {func(t *testing.T) string {
			return made(t, "-b", "secret", "-F", "raw", "disk.qcow2")
		}, `it is only an overlay of "secret"`},
		"a backing file in version 2": {func(t *testing.T) string {
			return made(t, "-o", "compat=0.10", "-b", "secret", "-F", "raw", "disk.qcow2")
		}, `it is only an overlay of "secret"`},
		"a backing file in JSON": {func(t *testing.T) string {
			return made(t, "-b", `json:{"driver":"raw","file":{"driver":"file","filename":"secret"}}`, "-F", "raw", "disk.qcow2")
		}, `it is only an overlay of "json:`},
		"an offset without a name": {func(t *testing.T) string {
			return patched(t, made(t, "disk.qcow2", "8M"), offsetOfBacking+7, 200)
		}, `it is only an overlay of "(unnamed)"`},
		"an external data file": {func(t *testing.T) string {
			return made(t, "-o", "data_file=data,data_file_raw=on", "disk.qcow2", "7M")
		}, `it keeps its data in another file, "data"`},
		"an external data file without a name": {func(t *testing.T) string {
			return patched(t, made(t, "disk.qcow2", "8M"), offsetOfFlags+7, flagDataFile)
		}, `it keeps its data in another file, "(unnamed)"`},
		"encrypted": {func(t *testing.T) string {
			// qemu-img measures the CPU to make one with LUKS (method 2), which a busy machine lets fail.
			return patched(t, made(t, "disk.qcow2", "8M"), offsetOfCrypt+3, 2)
		}, "it is encrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			image := test.image(t)
			// A program that ran would say what was asked of it.
			t.Setenv("PATH", t.TempDir())
			_, err := InspectStandalone(image)
			require.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, image)
			require.ErrorContains(t, Check(t.Context(), image), test.want)
			assert.ErrorContains(t, CreateOverlay(t.Context(), image, filepath.Join(t.TempDir(), "overlay.qcow2")), test.want)
		})
	}
}

// qemu-img recognizes other formats by their content, some of which name other files.
func TestOtherFormatsAreRefusedUnopened(t *testing.T) {
	descriptor := "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\nRW 100 FLAT \"/etc/shadow\" 0\n"
	path := filepath.Join(t.TempDir(), "disk.qcow2")
	require.NoError(t, os.WriteFile(path, []byte(descriptor), 0o600))
	t.Setenv("PATH", t.TempDir())
	assert.ErrorIs(t, Check(context.Background(), path), ErrNotQCOW2)
}

// What qemu-img itself says of many images is what their headers are read as.
func TestHeadersAreReadAsQEMUReadsThem(t *testing.T) {
	for name, arguments := range map[string][]string{
		"version 3":         {"disk.qcow2", "8M"},
		"version 2":         {"-o", "compat=0.10", "disk.qcow2", "12M"},
		"zstd":              {"-o", "compression_type=zstd", "disk.qcow2", "1T"},
		"extended L2":       {"-o", "extended_l2=on,cluster_size=128k", "disk.qcow2", "8M"},
		"small clusters":    {"-o", "cluster_size=512", "disk.qcow2", "8M"},
		"large clusters":    {"-o", "cluster_size=2M", "disk.qcow2", "8M"},
		"lazy refcounts":    {"-o", "lazy_refcounts=on", "disk.qcow2", "8M"},
		"a size of nothing": {"disk.qcow2", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			image := made(t, arguments...)
			info, err := InspectStandalone(image)
			require.NoError(t, err)
			output, err := exec.CommandContext(t.Context(), Program, "info", "--output=json", image).Output()
			require.NoError(t, err)
			assert.Contains(t, string(output), `"virtual-size": `+fmt.Sprint(info.VirtualSize)+",")
			assert.Contains(t, string(output), `"compression-type": "`+info.Compression+`"`)
		})
	}
}

func FuzzHeader(f *testing.F) {
	header := make([]byte, 200)
	copy(header, magic)
	binary.BigEndian.PutUint32(header[4:], 3)
	binary.BigEndian.PutUint32(header[offsetOfLength:], headerLength3)
	f.Add(header)
	data := bytes.Clone(header)
	binary.BigEndian.PutUint32(data[headerLength3:], extensionDataFile)
	binary.BigEndian.PutUint32(data[headerLength3+4:], 4)
	copy(data[headerLength3+8:], "data")
	f.Add(data)
	backing := bytes.Clone(header)
	binary.BigEndian.PutUint64(backing[offsetOfBacking:], 150)
	binary.BigEndian.PutUint32(backing[offsetOfBacking+8:], 1<<31)
	f.Add(backing)
	version2 := bytes.Clone(header[:headerLength2])
	version2[7] = 2
	f.Add(version2)
	f.Fuzz(func(t *testing.T, content []byte) {
		info, err := readInfo(bytes.NewReader(content))
		if err != nil {
			assert.Zero(t, info)
			return
		}
		assert.GreaterOrEqual(t, info.VirtualSize, int64(0))
		assert.LessOrEqual(t, len(info.Backing), maxBackingName)
		assert.LessOrEqual(t, len(info.DataFile), maxBackingName)
	})
}
