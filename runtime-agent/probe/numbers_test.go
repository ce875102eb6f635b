package probe

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const numbersText = `# HELP a_total Things.
# TYPE a_total counter
a_total{route="/v1/models/{model}",key="alice"} 3
a_total{route="/x",key="alice"} 4
a_total{route="/x",key="ci-2.b_c"} 5.5
a_seconds_bucket{le="+Inf"} 7
b 1.5e+09

no number
b{x="1"} many
`

func TestNumbers(t *testing.T) {
	n := parseNumbers(strings.NewReader(numbersText))
	assert.Equal(t, 12.5, n.Sum("a_total"))
	assert.Equal(t, 7.0, n.Sum("a_total", "key", "alice"))
	assert.Equal(t, 3.0, n.Sum("a_total", "key", "alice", "route", "/v1/models/{model}"))
	assert.Equal(t, 1.5e9, n.Sum("b"))
	assert.Equal(t, 7.0, n.Sum("a_seconds_bucket", "le", "+Inf"))
	assert.Zero(t, n.Sum("a"))
	assert.Equal(t, []string{"alice", "ci-2.b_c"}, n.Values("a_total", "key"))
	assert.Empty(t, n.Values("a_total", "status"))
}

func FuzzNumbers(f *testing.F) {
	f.Add(numbersText)
	f.Add("a{b=\"c\",d=\"} 1\na{} NaN\n")
	f.Fuzz(func(t *testing.T, text string) {
		n := parseNumbers(strings.NewReader(text))
		assert.LessOrEqual(t, len(n), strings.Count(text, "\n")+1)
		for _, s := range n {
			assert.Contains(t, text, s.name)
		}
	})
}
