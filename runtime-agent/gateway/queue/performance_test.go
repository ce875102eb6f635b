package queue_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

const (
	mostPeople = 8
	seeds      = 14 // each kind of agent is each person twice
	document   = "../../../docs/performance.md"
	plot       = "../../../docs/performance-waiting.svg"
)

// result is what one order gives some people, over all seeds.
type result struct {
	first, later []time.Duration
	// read is in tokens, took is the time until all is done; both are means.
	read int
	took time.Duration
}

// measure returns the results by order and number of people less one.
func measure(t *testing.T) [][]result {
	results := make([][]result, len(orders))
	for i, order := range orders {
		for people := 1; people <= mostPeople; people++ {
			var all result
			for seed := range uint64(seeds) {
				s := simulate(t, people, seed, order.make)
				all.first, all.later = append(all.first, s.first...), append(all.later, s.later...)
				all.read += s.read / seeds
				all.took += s.took / seeds
			}
			slices.Sort(all.first)
			slices.Sort(all.later)
			results[i] = append(results[i], all)
		}
	}
	return results
}

// The tables and the plot of the documentation are what the queue does.
func TestPerformance(t *testing.T) {
	results := measure(t)
	byArrival, byClient, byCost := results[0], results[1], results[2]
	for i := range mostPeople {
		assert.LessOrEqual(t, mean(byCost[i].later), mean(byArrival[i].later), "%d people", i+1)
		assert.LessOrEqual(t, mean(byCost[i].later), mean(byClient[i].later), "%d people", i+1)
		assert.LessOrEqual(t, float64(byCost[i].read), 1.02*float64(min(byArrival[i].read, byClient[i].read)), "%d people", i+1)
	}
	for i := 7; i < mostPeople; i++ {
		assert.Less(t, 2*byCost[i].read, min(byArrival[i].read, byClient[i].read), "more conversations than the cache holds")
	}
	waits := func(of func(result) []time.Duration) func(result) []string {
		return func(r result) []string {
			all := of(r)
			return []string{short(mean(all)), short(all[len(all)*95/100]), short(all[len(all)-1])}
		}
	}
	later, first := func(r result) []time.Duration { return r.later }, func(r result) []time.Duration { return r.first }
	goldentest.Block(t, document, "next turns", table("people", []string{"mean", "95 %", "worst"}, results, waits(later)))
	goldentest.Block(t, document, "first prompts", table("people", []string{"mean", "95 %", "worst"}, results, waits(first)))
	goldentest.Block(t, document, "tokens read", table("people", []string{"thousand tokens", "all is done"}, results, func(r result) []string {
		return []string{fmt.Sprint((r.read + 500) / 1000), fmt.Sprintf("%.1f h", r.took.Hours())}
	}))
	goldentest.Equal(t, plot, draw(results))
}

func mean(all []time.Duration) time.Duration {
	var sum time.Duration
	for _, one := range all {
		sum += one
	}
	return sum / time.Duration(len(all))
}

// short returns a time as "12 s", "3 min" or "1.2 h".
func short(d time.Duration) string {
	switch {
	case d < 100*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 100*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// table returns a table in Markdown with a row for each number of people, and of each order the columns.
func table(corner string, columns []string, results [][]result, cells func(result) []string) string {
	var out strings.Builder
	row := func(cells ...string) { out.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	head, line := []string{corner}, []string{"---"}
	for _, order := range orders {
		for i, column := range columns {
			if i == 0 {
				column = order.name + ": " + column
			}
			head, line = append(head, column), append(line, "---")
		}
	}
	row(head...)
	row(line...)
	for people := range mostPeople {
		one := []string{fmt.Sprint(people + 1)}
		for i := range orders {
			one = append(one, cells(results[i][people])...)
		}
		row(one...)
	}
	return out.String()
}

// The colours are read on white and on black.
var colours = []string{"#8b949e", "#bf8700", "#2f81f7"}

const (
	panelWidth, panelHeight = 300.0, 220.0
	left, top, between      = 56.0, 30.0, 90.0
)

// draw returns a picture in SVG: the mean time to the first token over the number of people, of next
// turns and of first prompts.
func draw(results [][]result) string {
	var out strings.Builder
	width := left + 2*panelWidth + between
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12" fill="#808890">`+"\n", width, top+panelHeight+64)
	for i, title := range []string{"next turns: mean time to the first token", "first prompts: mean time to the first token"} {
		x := left + float64(i)*(panelWidth+between)
		fmt.Fprintf(&out, `<text x="%.0f" y="16" font-size="13">%s</text>`+"\n", x, title)
		drawAxes(&out, x)
		for n, all := range results {
			drawLine(&out, x, colours[n], all, i == 1)
		}
	}
	for n, order := range orders {
		x := left + float64(n)*200
		fmt.Fprintf(&out, `<path d="M%.0f %.0fh24" stroke="%s" stroke-width="3"/><text x="%.0f" y="%.0f">%s</text>`+"\n",
			x, top+panelHeight+48, colours[n], x+30, top+panelHeight+52, order.name)
	}
	out.WriteString("</svg>\n")
	return out.String()
}

func drawAxes(out *strings.Builder, x float64) {
	for _, tick := range []time.Duration{5 * time.Second, 30 * time.Second, 3 * time.Minute, 15 * time.Minute, time.Hour} {
		y := height(tick)
		fmt.Fprintf(out, `<path d="M%.0f %.1fh%.0f" stroke="#808890" stroke-opacity="0.35"/><text x="%.0f" y="%.1f" text-anchor="end">%s</text>`+"\n",
			x, y, panelWidth, x-6, y+4, strings.Replace(short(tick), "60 min", "1 h", 1))
	}
	for people := 1; people <= mostPeople; people++ {
		fmt.Fprintf(out, `<text x="%.1f" y="%.0f" text-anchor="middle">%d</text>`+"\n", across(x, people), top+panelHeight+16, people)
	}
	fmt.Fprintf(out, `<text x="%.0f" y="%.0f" text-anchor="middle">people</text>`+"\n", x+panelWidth/2, top+panelHeight+31)
}

func drawLine(out *strings.Builder, x float64, colour string, all []result, first bool) {
	var points []string
	for i, r := range all {
		waits := r.later
		if first {
			waits = r.first
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", across(x, i+1), height(mean(waits))))
	}
	fmt.Fprintf(out, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2.5"/>`+"\n", strings.Join(points, " "), colour)
}

func across(x float64, people int) float64 {
	return x + panelWidth*(float64(people)-0.5)/mostPeople
}

// height returns where a time lies in a panel, whose scale is logarithmic from 3 s to an hour and a half.
func height(d time.Duration) float64 {
	const least, most = 3.0, 5400.0
	return top + panelHeight*(1-math.Log(d.Seconds()/least)/math.Log(most/least))
}
