// Package firmware finds the UEFI firmware for virtual machines where distributions install
// it. A VM without it boots with a PC BIOS, which QEMU includes.
package firmware

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
)

// The kinds of firmware, as spelled in templates.
const (
	BIOS = "bios"
	UEFI = "uefi"
)

// Files are the two halves of a UEFI firmware, for QEMU's pflash drives 0 and 1.
type Files struct {
	// Code is read-only.
	Code string
	// Vars is the template of the variable store, which the VM writes to; each VM needs a
	// copy.
	Vars string
}

// known lists where Debian, Ubuntu and Fedora install the firmware, newest first. All of it is
// without signature checks (Secure Boot), so any cloud image boots.
var known = map[string]struct {
	distributionPackage hostprogram.Package
	places              []Files
}{
	"amd64": {hostprogram.Package{Debian: "ovmf", Fedora: "edk2-ovmf"}, []Files{
		{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
		{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
	}},
	"arm64": {hostprogram.Package{Debian: "qemu-efi-aarch64", Fedora: "edk2-aarch64"}, []Files{
		{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
	}},
}

// Find returns the UEFI firmware for guests of an architecture (a GOARCH value). The error
// names the missing package.
func Find(arch string) (Files, error) {
	return find("/", arch)
}

// find takes the root of the file system, so that tests can simulate a host.
func find(root, arch string) (Files, error) {
	for _, place := range known[arch].places {
		if exists(filepath.Join(root, place.Code)) && exists(filepath.Join(root, place.Vars)) {
			return place, nil
		}
	}
	return Files{}, fmt.Errorf("the UEFI firmware for %s is not installed: install the package %s",
		arch, known[arch].distributionPackage)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
