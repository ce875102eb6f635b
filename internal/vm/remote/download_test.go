package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remotetest"
)

func TestDownload(t *testing.T) {
	double := remotetest.New(t)
	double.Write("/var/x.deb", "a package")
	sum := sha256.Sum256([]byte("a package"))
	digest := hex.EncodeToString(sum[:])
	m := NewMachine(double)

	var got bytes.Buffer
	require.NoError(t, m.Download(t.Context(), "/var/x.deb", digest, &got))
	assert.Equal(t, "a package", got.String())

	double.Write("/var/x.deb", "a packet")
	err := m.Download(t.Context(), "/var/x.deb", digest, &got)
	require.ErrorContains(t, err, "download /var/x.deb: sha256:")
	assert.ErrorContains(t, err, "the machine has sha256:"+digest+": the connection lost bytes")

	require.ErrorContains(t, m.Download(t.Context(), "/var/none", digest, &got), "download /var/none: open ")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, m.Download(ctx, "/var/x.deb", digest, &got), context.Canceled)
}
