package svgplot

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

func plot(apart bool) Plot {
	return Plot{
		Series: []string{"first & last", "second"},
		Panels: []Panel{{
			Title: "a < b", Label: "people", Categories: []string{"1", "2"}, Least: 0.1, Most: 10, Apart: apart,
			Ticks:  []Tick{{1, "one"}, {10, "ten"}},
			Points: [][]Point{{{1, 0.5, 2}, {3, 2, 4}}, {{100, 0.001, 100}, {math.NaN(), math.NaN(), math.NaN()}}},
		}},
	}
}

func TestDraw(t *testing.T) {
	lines := plot(false)
	lines.Panels[0].Points[1][1] = Point{Middle: 2}
	goldentest.Equal(t, "testdata/lines.svg", lines.Draw())
	goldentest.Equal(t, "testdata/apart.svg", plot(true).Draw())
	two := plot(true)
	two.Panels, two.PerRow = append(two.Panels, two.Panels[0]), 1
	goldentest.Equal(t, "testdata/rows.svg", two.Draw())
	long := plot(true)
	long.Panels[0].Categories = []string{"a category with a long name", "short"}
	goldentest.Equal(t, "testdata/long.svg", long.Draw())
}

func TestAPictureIsXML(t *testing.T) {
	text := plot(true).Draw()
	var err error
	for decoder := xml.NewDecoder(strings.NewReader(text)); err == nil; {
		_, err = decoder.Token()
	}
	assert.ErrorIs(t, err, io.EOF)
	assert.NotContains(t, text, "NaN", "what was not measured is left out")
}

func TestWhatIsBeyondTheScaleLiesAtItsEnd(t *testing.T) {
	panel := plot(true).Panels[0]
	assert.Equal(t, panel.height(10), panel.height(100))
	assert.Equal(t, panel.height(0.1), panel.height(0))
	assert.Less(t, panel.height(10), panel.height(1), "more is higher")
}
