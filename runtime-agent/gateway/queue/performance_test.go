package queue_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/svgplot"
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

// draw returns a picture: the mean time to the first token over the number of people, of next turns and of
// first prompts, on a scale from 3 s to an hour and a half.
func draw(results [][]result) string {
	var plot svgplot.Plot
	for _, order := range orders {
		plot.Series = append(plot.Series, order.name)
	}
	for _, waits := range []struct {
		title string
		of    func(result) []time.Duration
	}{
		{"next turns: mean time to the first token", func(r result) []time.Duration { return r.later }},
		{"first prompts: mean time to the first token", func(r result) []time.Duration { return r.first }},
	} {
		panel := svgplot.Panel{Title: waits.title, Label: "people", Least: 3, Most: 5400}
		for people := 1; people <= mostPeople; people++ {
			panel.Categories = append(panel.Categories, fmt.Sprint(people))
		}
		for _, tick := range []time.Duration{5 * time.Second, 30 * time.Second, 3 * time.Minute, 15 * time.Minute, time.Hour} {
			panel.Ticks = append(panel.Ticks, svgplot.Tick{Value: tick.Seconds(), Label: strings.Replace(short(tick), "60 min", "1 h", 1)})
		}
		for _, all := range results {
			var points []svgplot.Point
			for _, r := range all {
				points = append(points, svgplot.Point{Middle: mean(waits.of(r)).Seconds()})
			}
			panel.Points = append(panel.Points, points)
		}
		plot.Panels = append(plot.Panels, panel)
	}
	return plot.Draw()
}
