package qemuvm

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// As QEMU 7.2 prints it.
const table = "Hub -1 (network):\r\n" +
	"  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n" +
	"  TCP[ESTABLISHED]  17       127.0.0.1 50000       10.0.2.15   443     0     0\r\n" +
	"  TCP[HOST_FORWARD]   9       127.0.0.1 36175       10.0.2.15   443     0     0\r\n" +
	"  TCP[HOST_FORWARD]   3       127.0.0.1 41641       10.0.2.15    80     0     0\r\n"

func TestParseForwards(t *testing.T) {
	assert.Equal(t, map[int]int{443: 36175, 80: 41641}, parseForwards(table))
	assert.Empty(t, parseForwards(""))
	assert.Empty(t, parseForwards("TCP[HOST_FORWARD] 3 127.0.0.1 99999 10.0.2.15 80"))
}

func FuzzParseForwards(f *testing.F) {
	f.Add(table)
	f.Add("TCP[HOST_FORWARD] 3 127.0.0.1 -1 10.0.2.15 80")
	f.Fuzz(func(t *testing.T, text string) {
		for guest, host := range parseForwards(text) {
			assert.True(t, guest >= 0 && guest < 1<<16 && host >= 0 && host < 1<<16)
		}
	})
}
