package demo_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/inspect"
)

// The builder has looked into the image already; this is what was published.
func testImageIsClean(t *testing.T, made demo) {
	var said []string
	err := inspect.Inspect(t.Context(), made.image, outputDirectory(t), func(line string) { said = append(said, line) })
	assert.NoError(t, err)
	// The keys of the smoke test and of the build are not even in free blocks.
	assert.Contains(t, strings.Join(said, "\n"), "(private keys among them: 0)")
}
