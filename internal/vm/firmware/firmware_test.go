package firmware

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFind(t *testing.T) {
	tests := map[string]struct {
		arch  string
		files []string
		want  string
		err   string
	}{
		"new":       {"amd64", []string{"OVMF/OVMF_CODE_4M.fd", "OVMF/OVMF_VARS_4M.fd", "OVMF/OVMF_CODE.fd", "OVMF/OVMF_VARS.fd"}, "/usr/share/OVMF/OVMF_CODE_4M.fd", ""},
		"old":       {"amd64", []string{"OVMF/OVMF_CODE.fd", "OVMF/OVMF_VARS.fd"}, "/usr/share/OVMF/OVMF_CODE.fd", ""},
		"one half":  {"amd64", []string{"OVMF/OVMF_CODE_4M.fd", "OVMF/OVMF_CODE.fd", "OVMF/OVMF_VARS.fd"}, "/usr/share/OVMF/OVMF_CODE.fd", ""},
		"none":      {"amd64", []string{"AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_VARS.fd"}, "", "install the package ovmf"},
		"arm64":     {"arm64", []string{"AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_VARS.fd"}, "/usr/share/AAVMF/AAVMF_CODE.fd", ""},
		"arm64 not": {"arm64", nil, "", "install the package qemu-efi-aarch64"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, file := range test.files {
				path := filepath.Join(root, "usr/share", file)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, nil, 0o600))
			}
			got, err := find(root, test.arch)
			assert.Equal(t, test.want, got.Code)
			if test.err == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.err)
			}
		})
	}
}

// The package that make setup installs is where it is looked for.
func TestFindOnThisHost(t *testing.T) {
	files, err := Find("amd64")
	require.NoError(t, err, "run make setup")
	assert.FileExists(t, files.Code)
	assert.FileExists(t, files.Vars)
}
