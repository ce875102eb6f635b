// Package svgplot draws panels of values over categories as one SVG picture that is read on white and on black.
package svgplot

import (
	"fmt"
	"math"
	"strings"
)

// Colours are those of the series, in their order.
var Colours = []string{"#8b949e", "#bf8700", "#2f81f7", "#3fb950", "#f778ba"}

// grey is that of axes and texts.
const grey = "#808890"

const (
	panelWidth, panelHeight = 300.0, 220.0
	left, top, between      = 56.0, 30.0, 90.0
	legendWidth             = 200.0
	// letter is about the width of a letter at the size of the texts.
	letter = 6.5
)

// Plot is a picture: panels side by side, and one legend for all.
type Plot struct {
	Panels []Panel
	// PerRow is how many panels a row has; 0 is all in one.
	PerRow int
	// Series are the names of what each panel has a list of points for, at most as many as Colours.
	Series []string
}

// Panel has a logarithmic scale from Least to Most.
type Panel struct {
	Title string
	// Label says what the categories are.
	Label      string
	Categories []string
	Least      float64
	Most       float64
	Ticks      []Tick
	// Points are those of each series, over the categories.
	Points [][]Point
	// Apart draws each point by itself, those of a category beside each other, with the range; otherwise
	// a line joins the middles of a series.
	Apart bool
}

// Tick is a value with a line across the panel.
type Tick struct {
	Value float64
	Label string
}

// Point is a value and its range. One that is not a number is left out of those that are apart.
type Point struct{ Middle, Low, High float64 }

// Draw returns the picture.
func (p Plot) Draw() string {
	perRow, room := len(p.Panels), 0.0
	if p.PerRow > 0 {
		perRow = min(perRow, p.PerRow)
	}
	for _, panel := range p.Panels {
		room = max(room, panel.slanted())
	}
	row := top + panelHeight + 40 + room
	rows := (len(p.Panels) + perRow - 1) / perRow
	width, legend := left+float64(perRow)*(panelWidth+between)-between, float64(rows)*row
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12" fill="%s">`+"\n",
		max(width, left+legendWidth*float64(len(p.Series))), legend+24, grey)
	for i, panel := range p.Panels {
		if i < perRow {
			panel.draw(&out, left+float64(i)*(panelWidth+between))
			continue
		}
		fmt.Fprintf(&out, `<g transform="translate(0 %.0f)">`+"\n", float64(i/perRow)*row)
		panel.draw(&out, left+float64(i%perRow)*(panelWidth+between))
		out.WriteString("</g>\n")
	}
	for n, name := range p.Series {
		x := left + float64(n)*legendWidth
		fmt.Fprintf(&out, `<path d="M%.0f %.0fh24" stroke="%s" stroke-width="3"/><text x="%.0f" y="%.0f">%s</text>`+"\n",
			x, legend+8, Colours[n], x+30, legend+12, escape(name))
	}
	out.WriteString("</svg>\n")
	return out.String()
}

// slanted returns how much room the names of the categories need if they do not fit side by side, 0 if they do.
func (p Panel) slanted() float64 {
	longest := 0
	for _, name := range p.Categories {
		longest = max(longest, len(name))
	}
	if width := letter * float64(longest); width > panelWidth/float64(len(p.Categories)) {
		return width * math.Sqrt2 / 2
	}
	return 0
}

func (p Panel) draw(out *strings.Builder, x float64) {
	fmt.Fprintf(out, `<text x="%.0f" y="16" font-size="13">%s</text>`+"\n", x, escape(p.Title))
	for _, tick := range p.Ticks {
		y := p.height(tick.Value)
		fmt.Fprintf(out, `<path d="M%.0f %.1fh%.0f" stroke="%s" stroke-opacity="0.35"/><text x="%.0f" y="%.1f" text-anchor="end">%s</text>`+"\n",
			x, y, panelWidth, grey, x-6, y+4, escape(tick.Label))
	}
	room := p.slanted()
	for i, name := range p.Categories {
		turned := `text-anchor="middle"`
		if room > 0 {
			turned = fmt.Sprintf(`text-anchor="end" transform="rotate(-45 %.1f %.0f)"`, p.across(x, i), top+panelHeight+16)
		}
		fmt.Fprintf(out, `<text x="%.1f" y="%.0f" %s>%s</text>`+"\n", p.across(x, i), top+panelHeight+16, turned, escape(name))
	}
	fmt.Fprintf(out, `<text x="%.0f" y="%.0f" text-anchor="middle">%s</text>`+"\n", x+panelWidth/2, top+panelHeight+31+room, escape(p.Label))
	for n, points := range p.Points {
		if p.Apart {
			p.drawApart(out, x, n, points)
		} else {
			p.drawLine(out, x, n, points)
		}
	}
}

func (p Panel) drawLine(out *strings.Builder, x float64, n int, points []Point) {
	var places []string
	for i, point := range points {
		places = append(places, fmt.Sprintf("%.1f,%.1f", p.across(x, i), p.height(point.Middle)))
	}
	fmt.Fprintf(out, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2.5"/>`+"\n", strings.Join(places, " "), Colours[n])
}

func (p Panel) drawApart(out *strings.Builder, x float64, n int, points []Point) {
	slot := panelWidth / float64(len(p.Categories)) / float64(len(p.Points)+1)
	for i, point := range points {
		if math.IsNaN(point.Middle) {
			continue
		}
		at := p.across(x, i) + slot*(float64(n)-float64(len(p.Points)-1)/2)
		fmt.Fprintf(out, `<path d="M%.1f %.1fV%.1f" stroke="%s" stroke-width="1.5"/><circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n",
			at, p.height(point.Low), p.height(point.High), Colours[n], at, p.height(point.Middle), Colours[n])
	}
}

func (p Panel) across(x float64, i int) float64 {
	return x + panelWidth*(float64(i)+0.5)/float64(len(p.Categories))
}

// height returns where a value lies. What is beyond the scale lies at its end.
func (p Panel) height(value float64) float64 {
	value = min(max(value, p.Least), p.Most)
	return top + panelHeight*(1-math.Log(value/p.Least)/math.Log(p.Most/p.Least))
}

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
