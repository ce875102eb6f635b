package recent_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/recent"
)

func TestMap(t *testing.T) {
	m := recent.NewMap[int](2)
	m.Set("a", 1)
	m.Set("b", 2)
	m.Set("a", 3)
	value, found := m.Get("b")
	assert.True(t, found)
	assert.Equal(t, 2, value)

	m.Set("c", 4)
	_, found = m.Get("a")
	assert.False(t, found, "b was asked for later")
	for name, want := range map[string]int{"b": 2, "c": 4} {
		value, found := m.Get(name)
		assert.True(t, found)
		assert.Equal(t, want, value)
	}
}
