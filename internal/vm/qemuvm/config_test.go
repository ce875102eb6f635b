package qemuvm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvmtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
)

func TestArgumentsAreGolden(t *testing.T) {
	uefi := firmware.Files{Code: "/usr/share/code.fd", Vars: "/run/a,b/vars.fd"}
	base := Config{
		Arch: "amd64", Disk: "/run/a,b/disk.qcow2", ContextISO: "/run/context.iso", SerialLog: "/run/serial.log",
		MemoryMiB: 4096, CPUs: 2, Accelerator: "tcg", GuestPorts: []int{80, 443},
	}
	tests := map[string]func(*Config){
		"amd64-bios":       func(*Config) {},
		"amd64-uefi":       func(c *Config) { c.UEFI, c.Accelerator = uefi, "kvm" },
		"amd64-model-disk": func(c *Config) { c.ModelDisk = "/run/a,b/model.qcow2" },
		"arm64-uefi":       func(c *Config) { c.Arch, c.UEFI = "arm64", uefi },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			config := base
			change(&config)
			got := Program(config.Arch) + strings.ReplaceAll(" "+strings.Join(config.arguments(), " "), " -", "\n-") + "\n"
			path := filepath.Join("testdata", name+".txt")
			goldentest.Equal(t, path, got)
		})
	}
}

// secondDisk makes a QCOW2 that begins with text.
func secondDisk(t *testing.T, directory, text string) string {
	t.Helper()
	raw, path := filepath.Join(directory, "second.raw"), filepath.Join(directory, "second.qcow2")
	require.NoError(t, os.WriteFile(raw, append([]byte(text), make([]byte, 1<<20)...), 0o600))
	out, err := exec.Command(qemuimg.Program, "convert", "-O", qemuimg.Format, raw, path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// The guest also proves by running that its own disk is the first.
func TestTheGuestReadsItsModelDisk(t *testing.T) {
	config := guest(t, qemuvmtest.PrintSecondDisk(0, 0), qemuvmtest.Halt)
	config.ModelDisk = secondDisk(t, t.TempDir(), "weights\n")
	start(t, t.Context(), config)
	awaitSerial(t, config, "weights\n")
}

func TestUEFIFirmwareRuns(t *testing.T) {
	config := guest(t, qemuvmtest.Greet, qemuvmtest.Halt)
	config.MemoryMiB = 256
	files, err := firmware.Find("amd64")
	require.NoError(t, err, "run make setup")
	template, err := os.ReadFile(files.Vars)
	require.NoError(t, err)
	files.Vars = filepath.Join(filepath.Dir(config.Disk), "vars.fd")
	require.NoError(t, os.WriteFile(files.Vars, template, 0o600))
	config.UEFI = files
	start(t, t.Context(), config)
	// The firmware says so on the console: a boot sector is nothing to it.
	awaitSerial(t, config, "BdsDxe")
	console, err := os.ReadFile(config.SerialLog)
	require.NoError(t, err)
	assert.NotContains(t, string(console), qemuvmtest.Greeting)
}

func TestAMissingEmulatorIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	assert.ErrorContains(t, Available("amd64"), "qemu-system-x86_64 is not installed: install the package qemu-system-x86 ")
	assert.ErrorContains(t, Available("arm64"), "qemu-system-aarch64 is not installed: install the package qemu-system-arm ")
}
