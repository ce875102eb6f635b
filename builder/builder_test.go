package builder

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/qemuvm"
)

const (
	mebibyte     = 1 << 20
	waitLimit    = 60 * time.Second
	pollInterval = 20 * time.Millisecond
)

// qemuProgram is the QEMU that runs the machines of these tests.
var qemuProgram = qemuvm.Program("amd64")

// lastWords is what the test machine prints on its serial console before it halts.
const lastWords = "\x1b[31mno operating system\x1b[0m\r\nhalted"

// bootSector is 8086 code that writes lastWords to the first serial port and halts.
func bootSector() []byte {
	const origin, size = 0x7c00, 512
	code := []byte{
		0x31, 0xc0, // xor ax, ax
		0x8e, 0xd8, // mov ds, ax
		0xfc,             // cld
		0xbe, 0x00, 0x00, // mov si, text
		0xba, 0xf8, 0x03, // mov dx, 0x3f8
		0xac,       // next: lodsb
		0x84, 0xc0, // test al, al
		0x74, 0x03, // jz end
		0xee,       // out dx, al
		0xeb, 0xf8, // jmp next
		0xf4,       // end: hlt
		0xeb, 0xfd, // jmp end
	}
	binary.LittleEndian.PutUint16(code[6:], uint16(origin+len(code)))
	sector := make([]byte, size)
	copy(sector[copy(sector, code):], lastWords)
	sector[size-2], sector[size-1] = 0x55, 0xaa
	return sector
}

// inWorkplace starts a test in an empty directory, on a host with the necessary tools, with
// a base image that prints lastWords when it boots.
func inWorkplace(t *testing.T) {
	t.Helper()
	for _, tool := range []string{qemuProgram, qemuimg.Program, "xorriso"} {
		_, err := exec.LookPath(tool)
		require.NoError(t, err, "run make setup")
	}
	t.Chdir(t.TempDir())
	t.Setenv("PACKER_CACHE_DIR", t.TempDir())
	raw := make([]byte, mebibyte)
	copy(raw, bootSector())
	require.NoError(t, os.WriteFile("disk.raw", raw, 0o600))
	output, err := exec.Command(qemuimg.Program, "convert", "-O", "qcow2", "disk.raw", "base.qcow2").CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.NoError(t, os.Remove("disk.raw"))
}

// prepared returns a Builder prepared for base.qcow2, with additional attributes.
func prepared(t *testing.T, attributes map[string]any) *Builder {
	t.Helper()
	block := map[string]any{
		"base_image": "base.qcow2", "base_image_checksum": "none", "disk_size": "16M", "memory": 512,
		"accelerator": "tcg", "output_directory": "out",
	}
	maps.Copy(block, attributes)
	b := new(Builder)
	_, _, err := b.Prepare(block, packerData())
	require.NoError(t, err)
	return b
}

// run expects the build to fail. The deadline is for a build that does not fail as
// expected: its machine would never come up.
func run(t *testing.T, attributes map[string]any) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	_, err := prepared(t, attributes).Run(ctx, quiet(), new(recorder))
	return err
}

// left lists the files in the working directory.
func left(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// assertNoMachines polls, because a killed process exists until the kernel has freed its
// memory.
func assertNoMachines(t *testing.T) {
	t.Helper()
	assert.Eventually(t, func() bool { return machines(t) == 0 }, waitLimit, pollInterval, "a machine is left running")
}

// machines counts the QEMU processes of this test.
func machines(t *testing.T) int {
	t.Helper()
	count := 0
	processes, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	for _, process := range processes {
		if isMachine(t, process) {
			count++
		}
	}
	return count
}

// isMachine reports whether a directory below /proc is that of a QEMU process of this test.
func isMachine(t *testing.T, process string) bool {
	t.Helper()
	directory, err := os.Getwd()
	require.NoError(t, err)
	// The process may have ended in the meantime.
	command, _ := os.ReadFile(filepath.Join(process, "cmdline"))
	program, _, _ := bytes.Cut(command, []byte{0})
	return filepath.Base(string(program)) == qemuProgram && bytes.Contains(command, []byte(directory))
}

func TestRunTellsEverythingThatIsMissing(t *testing.T) {
	inWorkplace(t)
	t.Setenv("PATH", t.TempDir())
	require.NoError(t, os.Mkdir("taken", 0o755))
	err := run(t, map[string]any{"output_directory": "taken"})
	for _, want := range []string{
		"output_directory: taken exists already", "install the package qemu-system-x86 ", "install the package qemu-utils", "install the package xorriso",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.Equal(t, []string{"base.qcow2", "taken"}, left(t))
}

func TestRunRefusesBaseImages(t *testing.T) {
	inWorkplace(t)
	ctx := context.Background()
	require.NoError(t, os.WriteFile("x.img.xz", []byte("\xfd7zXZ\x00"+strings.Repeat("x", 4096)), 0o600))
	require.NoError(t, os.WriteFile("x.vmdk", []byte("KDMV"+strings.Repeat("x", 4096)), 0o600))
	require.NoError(t, os.WriteFile("garbage", []byte(strings.Repeat("x", 4096)), 0o600))
	require.NoError(t, qemuimg.CreateOverlay(ctx, "base.qcow2", "overlay.qcow2"))
	secret := filepath.Join(t.TempDir(), "secret")
	qemuImg(t, "create", "-q", "-f", "qcow2", "-o", "data_file="+secret+",data_file_raw=on", "split.qcow2", "8M")
	whole, err := os.ReadFile("base.qcow2")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("cut.qcow2", whole[:len(whole)-65536], 0o600))
	files := left(t)

	tests := map[string]struct {
		attributes map[string]any
		want       []string
	}{
		"missing":              {map[string]any{"base_image": "none.qcow2"}, []string{"base_image: ", "none.qcow2: no such file"}},
		"a directory":          {map[string]any{"base_image": "."}, []string{"base_image: ", "is not a regular file"}},
		"compressed":           {map[string]any{"base_image": "x.img.xz"}, []string{"base_image: x.img.xz is compressed (xz): unpack it first (unxz < x.img.xz > x.img)"}},
		"of another format":    {map[string]any{"base_image": "x.vmdk"}, []string{"base_image: x.vmdk is a VMDK image: ask whoever made it for a QCOW2 image, or, if you made it yourself, make one of it (qemu-img convert -f vmdk -O qcow2 x.vmdk x.vmdk.qcow2)"}},
		"garbage":              {map[string]any{"base_image": "garbage"}, []string{"base_image: garbage is not a QCOW2 image"}},
		"an overlay":           {map[string]any{"base_image": "overlay.qcow2"}, []string{"base_image: overlay.qcow2: it is only an overlay of"}},
		"data in another file": {map[string]any{"base_image": "split.qcow2"}, []string{"base_image: split.qcow2: it keeps its data in another file"}},
		"cut short":            {map[string]any{"base_image": "cut.qcow2"}, []string{"base_image: ", "it is damaged"}},
		"checksum": {map[string]any{"base_image_checksum": someChecksum},
			[]string{"base_image_checksum: base.qcow2 has sha256:", ", expected " + someChecksum}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := run(t, test.attributes)
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			assert.Equal(t, files, left(t))
		})
	}
}

func qemuImg(t *testing.T, arguments ...string) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), qemuimg.Program, arguments...).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func TestRunListsSeveralFaultsOfABaseImage(t *testing.T) {
	inWorkplace(t)
	qemuImg(t, "create", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "large.qcow2", "32M")
	err := run(t, map[string]any{"base_image": "large.qcow2"})
	assert.ErrorContains(t, err, "base_image: large.qcow2: it is only an overlay of")
	assert.ErrorContains(t, err, "disk_size: 16M is less than the disk of the base image (32.0 MiB)")
}

// Programs that later steps need are tried first. This dumpe2fs has the bug of e2fsprogs
// 1.47.2, which cannot open file names with an offset.
func TestRunTriesWhatLaterStepsNeed(t *testing.T) {
	inWorkplace(t)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		assert.Fail(t, "something is downloaded")
	}))
	defer server.Close()
	fakeProgram(t, "dumpe2fs", `test "$1" != -V || { echo dumpe2fs 1.47.2 >&2; exit; }; echo "dumpe2fs: Unable to resolve 'disk.raw?offset=1'" >&2; exit 1`)
	fakeProgram(t, "xorriso", `echo "xorriso : FATAL : no memory"; exit 5`)
	err := run(t, map[string]any{"base_image": server.URL + "/base.qcow2", "base_image_checksum": someChecksum, "machine_type": "steam-engine"})
	for _, want := range []string{
		"looking into an image fails on this host: dumpe2fs: Unable to resolve 'disk.raw?offset=1'\n" +
			"  with dumpe2fs 1.47.2; install another version of the package e2fsprogs (Debian, Ubuntu, Fedora)",
		"writing a CD-ROM fails on this host: ", "xorriso : FATAL : no memory",
		"making a machine type=steam-engine with tcg fails on this host: unsupported machine type",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.Equal(t, []string{"base.qcow2"}, left(t))
}

// fakeProgram puts a script before the real program on the PATH.
func fakeProgram(t *testing.T, name, script string) {
	t.Helper()
	directory := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	t.Setenv("PATH", directory+":"+os.Getenv("PATH"))
}

// QEMU's own error must reach the user, though packer-plugin-qemu returns only "Build was
// halted."
func TestRunShowsWhyQEMUDoesNotStart(t *testing.T) {
	inWorkplace(t)
	// The fake passes the check of the host, and fails when the build runs it.
	real, err := exec.LookPath(qemuProgram)
	require.NoError(t, err)
	fakeProgram(t, qemuProgram, `case "$*" in *version*|*stdio*) exec `+real+` "$@" ;; esac; exec `+real+` -machine steam-engine`)
	err = run(t, nil)
	assert.ErrorContains(t, err, "QEMU says: "+qemuProgram+": unsupported machine type")
	assert.Equal(t, []string{"base.qcow2"}, left(t))
	assertNoMachines(t)
}

func TestRunKeepsTheConsoleOfAMachineThatNeverComesUp(t *testing.T) {
	inWorkplace(t)
	err := run(t, map[string]any{"ssh_timeout": "3s"})
	assert.ErrorContains(t, err, "Timeout waiting for SSH")
	assert.ErrorContains(t, err, "console is kept in out.serial.log. It ends with:\n  no operating system\n  halted")
	assert.Equal(t, []string{"base.qcow2", "out.serial.log"}, left(t))
	assertNoMachines(t)
	kept, err := os.ReadFile("out.serial.log")
	require.NoError(t, err)
	assert.Equal(t, lastWords, string(kept), "the file is what the machine wrote")
}

func TestCancelLeavesNothing(t *testing.T) {
	inWorkplace(t)
	ctx, cancel := context.WithCancel(t.Context())
	b, finished := prepared(t, nil), make(chan struct{})
	var err error
	go func() {
		defer close(finished)
		_, err = b.Run(ctx, quiet(), new(recorder))
	}()
	// However the test fails, the machine ends with it.
	defer func() { cancel(); <-finished }()
	require.Eventually(t, func() bool {
		console, err := os.ReadFile("out.partial/slm-copilot-1.0.0-x86_64.serial.log")
		return err == nil && string(console) == lastWords
	}, waitLimit, pollInterval, "the machine runs")
	require.Equal(t, 1, machines(t))
	assertLoopbackOnly(t)
	cd := seedOf(t)
	require.FileExists(t, cd)

	cancel()
	<-finished
	assert.EqualError(t, err, "the build was cancelled")
	assert.Equal(t, []string{"base.qcow2"}, left(t))
	assertNoMachines(t)
	assert.NoFileExists(t, cd)
}

// seedOf returns the path of the CD attached to the machine of this test.
func seedOf(t *testing.T) string {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	for _, process := range processes {
		if !isMachine(t, process) {
			continue
		}
		command, err := os.ReadFile(filepath.Join(process, "cmdline"))
		require.NoError(t, err)
		for _, argument := range strings.Split(string(command), "\x00") {
			if drive, found := strings.CutSuffix(argument, ",media=cdrom"); found {
				return strings.TrimPrefix(drive, "file=")
			}
		}
	}
	require.Fail(t, "the machine has no CD")
	return ""
}

// assertLoopbackOnly checks every port on which the machine of this test listens.
func assertLoopbackOnly(t *testing.T) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	require.NoError(t, err)
	inodes := socketsOf(t)
	listening := 0
	for _, line := range strings.Split(string(table), "\n")[1:] {
		// Local address, state (0A is LISTEN) and inode, as in proc(5).
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != "0A" || !inodes[fields[9]] {
			continue
		}
		listening++
		assert.True(t, strings.HasPrefix(fields[1], "0100007F:"), "the machine listens on %s", fields[1])
	}
	assert.Equal(t, 1, listening, "SSH is forwarded, and nothing else is open")
}

// socketsOf returns the inodes of the sockets of the machine of this test.
func socketsOf(t *testing.T) map[string]bool {
	t.Helper()
	inodes := map[string]bool{}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	require.NoError(t, err)
	for _, link := range links {
		if !isMachine(t, filepath.Dir(filepath.Dir(link))) {
			continue
		}
		var inode string
		target, _ := os.Readlink(link)
		if _, err := fmt.Sscanf(target, "socket:[%s", &inode); err == nil {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes
}
