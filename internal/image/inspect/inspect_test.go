package inspect

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/files"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// inspect runs Inspect and sees that it leaves nothing behind, and the image alone.
func inspect(t *testing.T, image string) error {
	t.Helper()
	before, err := os.ReadFile(image)
	require.NoError(t, err)
	work := t.TempDir()
	var said []string
	result := Inspect(t.Context(), image, work, func(line string) { said = append(said, line) })

	left, err := os.ReadDir(work)
	require.NoError(t, err)
	assert.Empty(t, left, "the raw copy is removed")
	after, err := os.ReadFile(image)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(before, after), "the image is not written to")
	assert.NotEmpty(t, said)
	return result
}

func TestGoodImage(t *testing.T) {
	assert.NoError(t, inspect(t, makeImage(t, makeDisk(t, goodFiles(t)))))
}

// What is larger than any key is not read into memory.
func TestLargeFilesAreNotRead(t *testing.T) {
	large := "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("x", mostReadable)
	assert.NoError(t, inspect(t, makeImage(t, makeDisk(t, goodFiles(t).with(treeFiles{"/srv/large": large})))))
}

// A damaged file system may lead back to a directory above.
func TestDirectoryThatHoldsItself(t *testing.T) {
	disk := makeDisk(t, goodFiles(t))
	debugfs(t, disk, "ln /etc /etc/loop")
	assert.NoError(t, inspect(t, makeImage(t, disk)))
}

func TestBillOfAnotherVersion(t *testing.T) {
	bill := treeFiles{appliance.BakedSBOM: `{"spdxVersion": "SPDX-2.2", "packages": [{}]}`, appliance.AgentPath: ""}
	err := inspect(t, makeImage(t, makeDisk(t, goodFiles(t).with(bill))))
	assert.ErrorContains(t, err, appliance.BakedSBOM+": is not a bill of materials in SPDX 2.3")
	assert.ErrorContains(t, err, appliance.AgentPath+": is missing", "an empty file is not an agent")
}

// One image with everything wrong that is seen by its name: the golden file lists it all.
func TestImageThatBreaksEveryRule(t *testing.T) {
	bad := treeFiles{}
	for _, r := range rules() {
		bad[example(r)] = "something"
	}
	golden(t, "rules.txt", inspect(t, makeImage(t, makeDisk(t, goodFiles(t).without("/etc/resolv.conf").with(bad)))))
}

// example is a path that the rule forbids, and no rule before it.
func example(r rule) string {
	return strings.NewReplacer("/**", "/below/it", "_*", "_x", ".*", ".x", "*.", "x.", "/*", "/x", "*", "-x-").Replace(r.pattern)
}

func TestEveryRuleHasItsExample(t *testing.T) {
	for n, r := range rules() {
		file := entry{mode: typeRegular, size: 1}
		assert.True(t, r.forbids(example(r), file), "%s does not forbid %s", r.pattern, example(r))
		assert.Equal(t, !r.emptyIsFine, r.forbids(example(r), entry{mode: typeRegular}), "an empty %s", example(r))
		assert.False(t, r.forbids(example(r)+"/x/y", file) && !strings.HasSuffix(r.pattern, "/**"), r.pattern)
		for _, before := range rules()[:n] {
			assert.False(t, before.forbids(example(r), file), "%s is forbidden by %s", example(r), before.pattern)
		}
	}
}

func TestWhatIsInFiles(t *testing.T) {
	const key = "-----BEGIN %sPRIVATE KEY-----\nMC4CAQ\n"
	golden(t, "contents.txt", inspect(t, makeImage(t, makeDisk(t, goodFiles(t).with(treeFiles{
		"/etc/machine-id":          "2f1e5b7a2f1e5b7a2f1e5b7a2f1e5b7a\n",
		"/var/lib/dbus/machine-id": "2f1e5b7a2f1e5b7a2f1e5b7a2f1e5b7a\n",
		"/etc/shadow":              "root:$y$j9T$abc:20779::::::\nlocked:!$6$abc:1::::::\nopen::1::::::\nold:ab12cd34ef56g:1::::::\nfine:!*:1::::::\n",
		"/etc/shadow-":             "debian:$y$j9T$abc:20779::::::\n",
		"/etc/gshadow":             "users:$6$abc::\nfine:!::\n",
		"/etc/gshadow-":            "users:abc::\n",
		"/etc/passwd":              "root::0:0:root:/root:/bin/bash\nbuilder:x:1000:1000::/home/builder:/bin/bash\nnobody:x:65534:65534::/:\n",
		"/etc/passwd-":             "debian:x:1001:1001::/home/debian:/bin/bash\n",
		"/etc/nginx/tls.key":       strings.Replace(key, "%s", "RSA ", 1),
		"/root/id":                 strings.Replace(key, "%s", "OPENSSH ", 1),
		"/home/x/key":              strings.Replace(key, "%s", "", 1),
		"/var/lib/x/key":           "text before\n" + strings.Replace(key, "%s", "ENCRYPTED ", 1),
		"/var/backups/key":         strings.Replace(key, "%s", "", 1),
		"/srv/key":                 strings.Replace(key, "%s", "EC ", 1),
		appliance.StatusFile:       appliance.ConfigureFailure + "\n",
		appliance.BakedSBOM:        `{"spdxVersion": "SPDX-2.3", "packages": []}`,
		appliance.BakedLock:        "model {",
	})))))
}

func TestWhatIsMissing(t *testing.T) {
	missing := []string{
		appliance.AgentPath, appliance.BakedFile, appliance.LocalAIBinary, appliance.ContextHook, appliance.StatusFile,
		appliance.BackendsDir + "/llama-cpp/run.sh", appliance.ModelsDir + "/model.gguf", appliance.BakedLock, appliance.BakedSBOM, appliance.BakedLicenses,
	}
	for _, unit := range files.Units() {
		missing = append(missing, files.EnabledLink(unit))
	}
	golden(t, "missing.txt", inspect(t, makeImage(t, makeDisk(t, goodFiles(t).without(missing...)))))
}

func TestModelOnADiskOfItsOwn(t *testing.T) {
	tree := goodFiles(t).without(appliance.ModelsDir + "/model.gguf").with(treeFiles{modelMount: "[Mount]\n"})
	assert.NoError(t, inspect(t, makeImage(t, makeDisk(t, tree))))
}

func TestSeveralModels(t *testing.T) {
	const small = "small\n"
	both := func(more treeFiles) treeFiles {
		lock, err := lockfile.Parse("lock", []byte(goodFiles(t)[appliance.BakedLock]))
		require.NoError(t, err)
		lock.Put(lockfile.Input{Kind: lockfile.KindModel, Name: "small", Source: "small.gguf", Digest: digestOf(small), Size: int64(len(small))})
		return goodFiles(t).with(treeFiles{
			appliance.BakedFile:                 `{"model_id": "large", "other_models": [{"model_id": "small", "file": "small.gguf"}]}`,
			appliance.BakedLock:                 string(lock.Encode()),
			appliance.ModelsDir + "/small.gguf": small,
		}).with(more)
	}
	assert.NoError(t, inspect(t, makeImage(t, makeDisk(t, both(nil)))))

	err := inspect(t, makeImage(t, makeDisk(t, both(nil).without(appliance.ModelsDir+"/small.gguf"))))
	assert.ErrorContains(t, err, appliance.ModelsDir+"/small.gguf: is missing: a model")
	err = inspect(t, makeImage(t, makeDisk(t, both(treeFiles{appliance.ModelsDir + "/small.gguf": "Small\n"}))))
	assert.ErrorContains(t, err, appliance.ModelsDir+"/small.gguf: has "+digestOf("Small\n")+", not "+digestOf(small))
	err = inspect(t, makeImage(t, makeDisk(t, both(treeFiles{appliance.BakedLock: goodFiles(t)[appliance.BakedLock]}))))
	assert.ErrorContains(t, err, "does not say where "+appliance.ModelsDir+"/small.gguf came from")
}

func TestPayloadThatIsAnother(t *testing.T) {
	err := inspect(t, makeImage(t, makeDisk(t, goodFiles(t).with(treeFiles{
		appliance.LocalAIBinary:             "Engine\n",
		appliance.ModelsDir + "/model.gguf": "cut",
	}))))
	require.Error(t, err)
	assert.ErrorContains(t, err, appliance.LocalAIBinary+": has "+digestOf("Engine\n")+", not "+digestOf(engine))
	assert.ErrorContains(t, err, appliance.ModelsDir+"/model.gguf: has 3 bytes, not 8")
}

func TestLockThatLeavesThePayloadOut(t *testing.T) {
	const lock = "base_image \"debian-12\" {\n  source = \"https://example.org/x.qcow2\"\n}\n"
	err := inspect(t, makeImage(t, makeDisk(t, goodFiles(t).with(treeFiles{appliance.BakedLock: lock}))))
	require.Error(t, err)
	assert.ErrorContains(t, err, "does not say where "+appliance.LocalAIBinary)
	assert.ErrorContains(t, err, "does not say where "+appliance.ModelsDir+"/model.gguf")
}

func TestDeletedFiles(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 4096)
	copy(content, "-----BEGIN PRIVATE KEY-----\n")
	disk := makeDisk(t, goodFiles(t).with(treeFiles{"/root/deleted": string(content)}))
	debugfs(t, disk, "rm /root/deleted")
	var said []string
	err := Inspect(t.Context(), makeImage(t, disk), t.TempDir(), func(line string) { said = append(said, line) })
	require.NoError(t, err, "a little is fine")
	assert.Contains(t, said, "4.0 KiB of deleted files are left in free blocks (private keys among them: 1)")
}

func TestManyDeletedFiles(t *testing.T) {
	const size = mostLeftovers + 32*mebibyte
	disk := emptyDisk(t, rootStart+size, mbr(linuxType, qemuimg.Part{Start: rootStart, Size: size}))
	writeAt(t, disk, makeExt4(t, 4096, size, goodFiles(t).with(treeFiles{
		"/root/deleted": strings.Repeat("x", mostLeftovers),
		"/root/another": strings.Repeat("x", 4096),
	})), rootStart)
	debugfs(t, disk, "rm /root/deleted")
	require.NoError(t, inspect(t, makeImage(t, disk)), "as much as a trim may leave")
	debugfs(t, disk, "rm /root/another")
	assert.ErrorContains(t, inspect(t, makeImage(t, disk)), "/: 64.0 MiB of deleted files are left in free blocks")
}

func TestFileSystemThatWasCutOff(t *testing.T) {
	for _, request := range []string{"feature needs_recovery", "set_super_value state 0"} {
		disk := makeDisk(t, goodFiles(t))
		debugfs(t, disk, request)
		assert.ErrorContains(t, inspect(t, makeImage(t, disk)), "/: the file system was not unmounted in order", request)
	}
}

// Ubuntu's order: the root file system is number 1, comes last, and /boot is another.
func TestGPTWithBoot(t *testing.T) {
	const bootStart, bootSize = 4 * mebibyte, 8 * mebibyte
	const start = bootStart + bootSize
	const size = start + rootSize + mebibyte
	disk := emptyDisk(t, size, nil)
	writeAt(t, disk, makeExt4(t, 4096, bootSize, treeFiles{"/grub/grub.cfg": ""}), bootStart)
	writeAt(t, disk, makeExt4(t, 4096, rootSize, goodFiles(t).with(treeFiles{"/etc/ssh/ssh_host_rsa_key": "x"})), start)
	boot, root, esp := qemuimg.Part{Start: bootStart, Size: bootSize}, qemuimg.Part{Start: start, Size: rootSize}, qemuimg.Part{Start: mebibyte, Size: mebibyte}
	for _, order := range [][]qemuimg.Part{{root, esp, boot}, {esp, boot, root}} {
		writeAt(t, disk, gpt(size, order...), 0)
		err := inspect(t, makeImage(t, disk))
		require.Error(t, err)
		assert.Equal(t, 1, strings.Count(err.Error(), "\n"), err)
		assert.ErrorContains(t, err, "/etc/ssh/ssh_host_rsa_key: an SSH host key")
	}
}

func TestImagesThatCannotBeLookedInto(t *testing.T) {
	assert.ErrorContains(t, failed(t, makeImage(t, emptyDisk(t, mebibyte, nil))), "the disk has no partition table")

	noSystem := makeDisk(t, treeFiles{"/data": ""})
	assert.ErrorContains(t, failed(t, makeImage(t, noSystem)), "none of its partitions holds an ext4 file system with /etc")

	noRelease := makeDisk(t, treeFiles{"/etc/hosts": ""})
	assert.ErrorContains(t, failed(t, makeImage(t, noRelease)), "no /etc/os-release")

	cut := makeImage(t, makeDisk(t, goodFiles(t)))
	status, err := os.Stat(cut)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(cut, status.Size()/2))
	assert.ErrorContains(t, failed(t, cut), "it is damaged")

	damaged := makeDisk(t, goodFiles(t))
	// The descriptors of the block groups.
	writeAt(t, damaged, bytes.Repeat([]byte{0xff}, 4096), rootStart+4096)
	require.Error(t, failed(t, makeImage(t, damaged)))
}

// failed is the error of an inspection that could not be done, and leaves nothing.
func failed(t *testing.T, image string) error {
	t.Helper()
	work := t.TempDir()
	err := Inspect(t.Context(), image, work, func(string) {})
	require.Error(t, err)
	assert.ErrorContains(t, err, "inspect "+image+": ")
	left, readErr := os.ReadDir(work)
	require.NoError(t, readErr)
	assert.Empty(t, left)
	return err
}

func TestCancel(t *testing.T) {
	image := makeImage(t, makeDisk(t, goodFiles(t)))
	stop := errors.New("stopped by the user")
	for _, at := range []string{"unpack", "of deleted files", "digest"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		work := t.TempDir()
		err := Inspect(ctx, image, work, func(line string) {
			if strings.Contains(line, at) {
				cancel(stop)
			}
		})
		assert.ErrorIs(t, err, stop, at)
		left, err := os.ReadDir(work)
		require.NoError(t, err)
		assert.Empty(t, left)
	}
}

func TestNoRoom(t *testing.T) {
	assert.NoError(t, checkRoom(mebibyte, mebibyte, "/x"))
	assert.EqualError(t, checkRoom(mebibyte+1024, mebibyte, "/x"),
		"a raw copy takes 1.0 MiB, and /x has 1.0 MiB free: free some space, or build on another disk")
}

func TestMissingProgram(t *testing.T) {
	assert.NoError(t, Available(), "run make setup")
	_, err := hostprogram.Find("debugfs-of-nobody", distributionPackage)
	assert.EqualError(t, err, "debugfs-of-nobody is not installed: install the package e2fsprogs (Debian, Ubuntu, Fedora)")
}

func TestManyPathsAreCounted(t *testing.T) {
	paths := strings.Split("abcdefghijkl", "")
	assert.Equal(t, "a, b, c, d, e, f, g, h, i, j and 2 more: left over; remove it", finding{paths, "left over", "remove it"}.String())
}

// golden compares the error with the file of that name.
func golden(t *testing.T, name string, err error) {
	t.Helper()
	require.Error(t, err)
	path := filepath.Join("testdata", name)
	goldentest.Equal(t, path, err.Error()+"\n")
}
