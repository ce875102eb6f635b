package progress

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestALineOnATerminalReplacesTheOneBefore(t *testing.T) {
	for width, want := range map[int]string{
		0:  "grün und lang\nkept\nkurz\n",
		10: "\r\x1b[Kgrün und \r\x1b[Kkept\n\r\x1b[Kkurz\n",
	} {
		var out bytes.Buffer
		line := NewLine(&out)
		assert.Zero(t, line.width, "a buffer is not a terminal")
		line.width = width
		line.Say("grün und lang")
		line.Keep("kept")
		line.Say("kurz")
		line.End()
		assert.Equal(t, want, out.String())
	}
}
