package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
)

// The individual checks are tested in internal/image/inspect.
func TestWhatIsWrongIsSaid(t *testing.T) {
	directory := t.TempDir()
	raw, image := filepath.Join(directory, "disk.raw"), filepath.Join(directory, "image.qcow2")
	require.NoError(t, os.WriteFile(raw, make([]byte, 1<<20), 0o600))
	require.NoError(t, qemuimg.FromRaw(t.Context(), raw, image, func(string) {}))
	for name, test := range map[string]struct {
		arguments []string
		want      string
	}{
		"no image":   {nil, "usage: inspect IMAGE"},
		"two images": {[]string{image, image}, "usage: inspect IMAGE"},
		"missing":    {[]string{filepath.Join(directory, "none.qcow2")}, "none.qcow2: no such file"},
		"empty":      {[]string{image}, "inspect " + image + ": the disk has no partition table"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), test.arguments, &out)
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, out.String(), "fit to be published")
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, run(ctx, []string{image}, new(bytes.Buffer)), context.Canceled)
}
