package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The agent is in every appliance, and in the plugin once for each architecture.
func TestTheAgentStaysSmall(t *testing.T) {
	info, err := os.Stat(buildAgent(t))
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(12_000_000))
	t.Logf("%d bytes", info.Size())
}
