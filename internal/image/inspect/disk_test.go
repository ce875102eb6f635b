package inspect

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/files"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sbom"
)

const (
	mebibyte  = 1 << 20
	rootStart = 4 * mebibyte
	rootSize  = 24 * mebibyte
	// What the fixture bakes.
	engine  = "engine\n"
	weights = "weights\n"
)

var rootPart = qemuimg.Part{Start: rootStart, Size: rootSize}

// treeFiles are those of a tree by their paths. A name that ends in "/" is a directory, content
// that begins with "-> " the target of a symbolic link.
type treeFiles map[string]string

// goodFiles are what a finished image must hold, and some of what it may.
func goodFiles(t *testing.T) treeFiles {
	t.Helper()
	bill := sbom.Image{
		Name: "slm-copilot", Version: "1.0.0", OSID: "debian", OSRelease: "12", Created: time.Unix(1795395162, 0),
		Packages: []sbom.Package{{Name: "nginx", Version: "1.22.1-9", Arch: "amd64", SourceName: "nginx"}},
	}
	text, err := bill.Encode()
	require.NoError(t, err)
	lock := lockfile.Lock{Inputs: []lockfile.Input{
		{Kind: lockfile.KindLocalAI, Name: "localai", Arch: "amd64", Source: "https://example.org/local-ai", Digest: digestOf(engine), Size: int64(len(engine))},
		{Kind: lockfile.KindModel, Name: "large", Source: "https://example.org/model.gguf", Digest: digestOf(weights), Size: int64(len(weights))},
	}}
	tree := treeFiles{
		"/etc/os-release":                           "-> ../usr/lib/os-release",
		"/usr/lib/os-release":                       "ID=debian\nVERSION_ID=12\n",
		"/etc/machine-id":                           "",
		"/etc/passwd":                               "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		"/etc/shadow":                               "root:!*:20779:0:99999:7:::\nsshd:!:20779::::::\n",
		"/etc/gshadow":                              "root:*::\nusers:::\nsshd:!::\n",
		"/etc/resolv.conf":                          "-> /run/systemd/resolve/stub-resolv.conf",
		"/etc/ssl/certs/ca.pem":                     "-----BEGIN CERTIFICATE-----\n",
		"/etc/ssh/sshd_config":                      "UsePAM yes\n",
		"/usr/lib/python3/tests/key.pem":            "-----BEGIN PRIVATE KEY-----\n",
		"/var/log/wtmp":                             "",
		"/var/log/journal/":                         "",
		"/var/log/README":                           "-> ../../usr/share/doc/systemd/README.logs",
		"/tmp/":                                     "",
		"/var/tmp/":                                 "",
		"/var/lib/apt/lists/":                       "",
		appliance.StatusFile:                        appliance.InstallSuccess + "\n",
		appliance.AgentPath:                         "agent",
		appliance.BakedFile:                         `{"model_id": "large"}`,
		appliance.BakedSBOM:                         string(text),
		appliance.BakedLock:                         string(lock.Encode()),
		appliance.BakedLicenses:                     "MIT License\n",
		appliance.ContextHook:                       "#!/bin/sh\n",
		appliance.LocalAIBinary:                     engine,
		appliance.BackendsDir + "/llama-cpp/run.sh": "#!/bin/sh\n",
		appliance.ModelsDir + "/model.gguf":         weights,
	}
	for _, unit := range files.Units() {
		tree[files.EnabledLink(unit)] = "-> ../" + unit
	}
	return tree
}

// with returns the good files with some more, or with other content.
func (f treeFiles) with(more treeFiles) treeFiles {
	for path, content := range more {
		f[path] = content
	}
	return f
}

// without returns the good files without some.
func (f treeFiles) without(paths ...string) treeFiles {
	for _, path := range paths {
		delete(f, path)
	}
	return f
}

func (f treeFiles) write(t *testing.T, top string) {
	t.Helper()
	for path, content := range f {
		full := filepath.Join(top, path)
		if path[len(path)-1] == '/' {
			require.NoError(t, os.MkdirAll(full, 0o755))
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		if len(content) > 3 && content[:3] == "-> " {
			require.NoError(t, os.Symlink(content[3:], full))
			continue
		}
		require.NoError(t, os.WriteFile(full, []byte(content), 0o644))
	}
}

// makeExt4 makes a file system that holds the files, and returns its bytes.
func makeExt4(t *testing.T, blockSize int, size int64, f treeFiles) []byte {
	t.Helper()
	top, path := t.TempDir(), filepath.Join(t.TempDir(), "made.raw")
	f.write(t, top)
	program, err := hostprogram.Find("mke2fs", distributionPackage)
	require.NoError(t, err, "run make setup")
	command(t, program, "-q", "-t", "ext4", "-b", strconv.Itoa(blockSize), "-d", top, path, strconv.FormatInt(size/1024, 10)+"k")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

// emptyDisk makes one, with a partition table at its start.
func emptyDisk(t *testing.T, size int64, table []byte) string {
	t.Helper()
	disk := filepath.Join(t.TempDir(), "disk.raw")
	require.NoError(t, os.WriteFile(disk, table, 0o600))
	require.NoError(t, os.Truncate(disk, size))
	return disk
}

// makeDisk makes a disk as base images have it: the root file system in its only partition.
func makeDisk(t *testing.T, f treeFiles) string {
	t.Helper()
	disk := emptyDisk(t, rootStart+rootSize, mbr(linuxType, rootPart))
	writeAt(t, disk, makeExt4(t, 4096, rootSize, f), rootStart)
	return disk
}

// makeImage makes a QCOW2 image of a disk.
func makeImage(t *testing.T, disk string) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "slm-copilot.qcow2")
	command(t, "qemu-img", "convert", "-O", "qcow2", disk, image)
	return image
}

// debugfs changes the root file system of a disk.
func debugfs(t *testing.T, disk, request string) {
	t.Helper()
	program, err := hostprogram.Find("debugfs", distributionPackage)
	require.NoError(t, err, "run make setup")
	content, err := os.ReadFile(disk)
	require.NoError(t, err)
	root := filepath.Join(t.TempDir(), "root.raw")
	require.NoError(t, os.WriteFile(root, content[rootStart:], 0o600))
	command(t, program, "-w", "-R", request, root)
	content, err = os.ReadFile(root)
	require.NoError(t, err)
	writeAt(t, disk, content, rootStart)
}

func digestOf(content string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
}

func command(t *testing.T, name string, arguments ...string) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), name, arguments...).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func writeAt(t *testing.T, path string, content []byte, at int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteAt(content, at)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

// gpt returns the first sectors of a disk with these partitions.
func gpt(diskSize int64, partitions ...qemuimg.Part) []byte {
	const entrySize, count = 128, 128
	entries := make([]byte, entrySize*count)
	for n, p := range partitions {
		entry := entries[n*entrySize:]
		copy(entry, "some type of it.")
		binary.LittleEndian.PutUint64(entry[32:], uint64(p.Start/sectorSize))
		binary.LittleEndian.PutUint64(entry[40:], uint64((p.Start+p.Size)/sectorSize-1))
	}
	header := make([]byte, sectorSize)
	copy(header, "EFI PART")
	binary.LittleEndian.PutUint32(header[12:], 92)
	binary.LittleEndian.PutUint64(header[72:], 2)
	binary.LittleEndian.PutUint32(header[80:], count)
	binary.LittleEndian.PutUint32(header[84:], entrySize)
	binary.LittleEndian.PutUint32(header[88:], crc32.ChecksumIEEE(entries))
	binary.LittleEndian.PutUint32(header[16:], crc32.ChecksumIEEE(header[:92]))
	return append(append(mbr(protective, qemuimg.Part{Start: sectorSize, Size: diskSize - sectorSize}), header...), entries...)
}
