package contextiso

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTryOut(t *testing.T) {
	require.NoError(t, TryOut(t.Context(), t.TempDir()))
	t.Setenv("PATH", t.TempDir())
	require.ErrorContains(t, TryOut(t.Context(), t.TempDir()), "xorriso is not installed")
}
