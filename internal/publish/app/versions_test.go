package app

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVersionsBeyond(t *testing.T) {
	published := map[string]int64{"1.0.0": 10, "1.1.0": 20, "2.0.0": 20, "0.9.0": 5}
	for keep, want := range map[int][]string{
		0: nil,
		1: {"2.0.0", "1.1.0", "1.0.0", "0.9.0"},
		2: {"1.1.0", "1.0.0", "0.9.0"},
		4: {"0.9.0"},
		5: {},
		9: {},
	} {
		assert.Equal(t, want, VersionsBeyond(published, keep), "keep %d", keep)
	}
	assert.Empty(t, VersionsBeyond(nil, 1))
}
