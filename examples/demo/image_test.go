package demo_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/inspect"
)

// The builder has inspected the image already; this inspects what was published.
func testImageIsClean(t *testing.T, made demo) {
	var said []string
	err := inspect.Inspect(t.Context(), made.image, outputDirectory(t), func(line string) { said = append(said, line) })
	assert.NoError(t, err)
	// Not even free blocks may contain the keys of the smoke test and of the build.
	assert.Contains(t, strings.Join(said, "\n"), "(private keys among them: 0)")
}
