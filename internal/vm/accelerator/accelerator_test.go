package accelerator

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDetect(t *testing.T) {
	tests := map[string]struct {
		host    string
		modules []string
		device  bool
		want    string
		warning string
		// guest is the host's own architecture unless it is given.
		guest string
	}{
		"intel":                     {"amd64", []string{"kvm", "kvm_intel"}, true, KVM, "", ""},
		"amd":                       {"amd64", []string{"kvm", "kvm_amd"}, true, KVM, "", ""},
		"the device alone":          {"amd64", []string{"kvm", "kvm_pvm"}, true, TCG, "kvm_intel or kvm_amd is not loaded", ""},
		"nothing":                   {"amd64", nil, false, TCG, "kvm_intel or kvm_amd is not loaded", ""},
		"module without the device": {"amd64", []string{"kvm_intel"}, false, TCG, "add this user to the group kvm", ""},
		"arm64":                     {"arm64", nil, true, KVM, "", ""},
		"another architecture":      {"amd64", []string{"kvm", "kvm_intel"}, true, TCG, "this host is amd64, the guest arm64", "arm64"},
		"arm64 without the device":  {"arm64", nil, false, TCG, "add this user to the group kvm", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, module := range test.modules {
				require.NoError(t, os.MkdirAll(filepath.Join(root, "sys/module", module), 0o755))
			}
			if test.device {
				require.NoError(t, os.MkdirAll(filepath.Join(root, "dev"), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(root, "dev/kvm"), nil, 0o600))
			}
			guest := test.host
			if test.guest != "" {
				guest = test.guest
			}
			got, warning := detect(root, test.host, guest)
			assert.Equal(t, test.want, got)
			if test.warning == "" {
				assert.Empty(t, warning)
			} else {
				assert.Contains(t, warning, test.warning)
				assert.Contains(t, warning, "slower", "the warning says what it means")
			}
		})
	}
}

func TestDetectReadsThisHost(t *testing.T) {
	name, warning := Detect(runtime.GOARCH)
	assert.Contains(t, []string{KVM, TCG}, name)
	assert.Equal(t, name == TCG, warning != "", "a warning comes with emulation and only then")
}

func TestOptions(t *testing.T) {
	assert.Equal(t, "host", CPU(KVM))
	assert.Equal(t, "kvm", Option(KVM))
	assert.Equal(t, "max", CPU(TCG))
	assert.Equal(t, "tcg,thread=multi", Option(TCG))
}

func TestSettleAsksTheHostOnlyForAuto(t *testing.T) {
	for _, choice := range []string{KVM, TCG} {
		name, warning := Settle(choice, "riscv64")
		assert.Equal(t, choice, name)
		assert.Empty(t, warning)
	}
	name, warning := Settle(Auto, runtime.GOARCH)
	detected, why := Detect(runtime.GOARCH)
	assert.Equal(t, detected, name)
	assert.Equal(t, why, warning)
}
