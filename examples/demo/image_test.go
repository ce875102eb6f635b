package demo_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/imageinspect"
)

// The builder has looked into the image already; this is what was published.
func testImageIsClean(t *testing.T, made demo) {
	assert.NoError(t, imageinspect.Inspect(t.Context(), made.image, outputDirectory(t), func(line string) { t.Log(line) }))
}
