package app

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The ids are in marketplaces: they must never change.
func TestUUIDIsStable(t *testing.T) {
	assert.Equal(t, "6a70b62d-ae9e-57b2-ba1f-70e5bf9b5f5f", UUID("SLM-Copilot", "x86_64"))
	assert.NotEqual(t, UUID("SLM-Copilot", "x86_64"), UUID("SLM-Copilot", "aarch64"))
	assert.NotEqual(t, UUID("SLM-Copilot", "x86_64"), UUID("SLM-Copilotx", "86_64"))
	id, err := uuid.Parse(UUID("SLM-Copilot", "aarch64"))
	require.NoError(t, err)
	assert.Equal(t, uuid.Version(5), id.Version())
	assert.Equal(t, uuid.RFC4122, id.Variant())
}

func TestCommunityVersion(t *testing.T) {
	// 23 in Sydney is still 22 in UTC.
	created := time.Date(2026, 11, 23, 5, 0, 0, 0, time.FixedZone("", 11*3600))
	for version, want := range map[string]string{
		"1.0.0":            "1.0.0-0-20261122",
		"1.0.0-rc1":        "1.0.0-rc1-0-20261122",
		"7.2.1-3-20250102": "7.2.1-3-20250102",
		"1.0-0-20250102":   "1.0-0-20250102-0-20261122",
		"1.0.0-0-2025":     "1.0.0-0-2025-0-20261122",
	} {
		assert.Equal(t, want, CommunityVersion(version, created))
	}
}
