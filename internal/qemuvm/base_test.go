package qemuvm

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/contextiso"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvmtest"
)

// A real system sees the disk, the CONTEXT CD-ROM and the network card, and obeys the
// power button.
func TestADebianBootsAndObeysThePowerButton(t *testing.T) {
	base := os.Getenv("SLM_COPILOT_DEMO_BASE")
	if base == "" {
		base = "../../.cache/demo/base.qcow2"
	}
	require.FileExists(t, base, "the base image of the demo is missing: run make setup, or name one in SLM_COPILOT_DEMO_BASE")

	config := guest(t, qemuvmtest.Halt)
	dir := t.TempDir()
	config.Disk = filepath.Join(dir, "overlay.qcow2")
	require.NoError(t, qemuimg.CreateOverlay(t.Context(), base, config.Disk))
	config.ContextISO = filepath.Join(dir, "context.iso")
	require.NoError(t, contextiso.Write(t.Context(), config.ContextISO, map[string]string{
		"NETWORK":      "YES",
		"SET_HOSTNAME": "from-context",
		"ETH0_MAC":     GuestMAC,
		"ETH0_IP":      GuestAddress,
		"ETH0_MASK":    GuestMask,
		"ETH0_NETWORK": GuestNetwork,
		"ETH0_GATEWAY": GuestGateway,
		"ETH0_DNS":     GuestNameserver,
	}, nil))
	config.MemoryMiB, config.CPUs = 1024, 2

	vm := start(t, t.Context(), config)
	awaitSerial(t, config, " login:")
	require.NoError(t, vm.PowerDown(t.Context()))
}
