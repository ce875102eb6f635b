package payloads

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

func TestSettle(t *testing.T) {
	digestA, digestB := "sha256:"+a256, "sha256:"+b256
	for name, test := range map[string]struct {
		digest string
		size   int64
		answer told
		update bool
		// The outcome: of digest and size, and whether it is refused.
		wantDigest string
		wantSize   int64
		refused    bool
	}{
		"new":                           {"", 0, told{sha256: a256, size: 5}, false, digestA, 5, false},
		"new, of a size nobody tells":   {"", 7, told{sha256: a256}, false, digestA, 7, false},
		"the same":                      {digestA, 0, told{sha256: a256, size: 5}, false, digestA, 5, false},
		"the same, and no size":         {digestA, 5, told{sha256: a256}, false, digestA, 5, false},
		"replaced":                      {digestA, 5, told{sha256: b256, size: 6}, false, digestA, 5, true},
		"replaced and taken":            {digestA, 5, told{sha256: b256, size: 6}, true, digestB, 6, false},
		"replaced and taken, no size":   {digestA, 5, told{sha256: b256}, true, digestB, 0, false},
		"nobody tells":                  {digestA, 0, told{size: 5}, false, digestA, 5, false},
		"nobody tells, but of its size": {digestA, 5, told{size: 6}, false, digestA, 5, true},
		"nobody tells anything":         {digestA, 5, told{}, false, digestA, 5, false},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			tools := Tools{Update: test.update, Say: func(line string) { said = append(said, line) }}
			input := lockfile.Input{Digest: test.digest, Size: test.size}
			err := tools.settle(&input, test.answer)
			assert.Equal(t, test.refused, err != nil, "%v", err)
			assert.Equal(t, test.refused, len(said) == 0)
			assert.Equal(t, lockfile.Input{Digest: test.wantDigest, Size: test.wantSize}, input)
		})
	}
}
