// Package rounds measures variants side by side: each once a round, in another order in each, so that what else the
// machine does meets all of them alike. Ratios are taken within a round.
package rounds

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/svgplot"
)

// Variant is one way to run what is measured.
type Variant struct {
	Name string
	// Measure returns what was measured in one round, by the names of Quantity.
	Measure func(ctx context.Context) (map[string]float64, error)
}

// Quantity is something that is measured of variants, if not of all.
type Quantity struct{ Name, Unit string }

// Results has the values of each variant, by name: one map for each round.
type Results struct {
	// Names are those of the variants; the first is the base.
	Names  []string
	Values map[string][]map[string]float64
}

// Run measures all variants n times. said is told what begins. An error, or the end of ctx, ends it, with what
// whole rounds have given so far.
func Run(ctx context.Context, variants []Variant, n int, said func(string)) (Results, error) {
	r := Results{Values: map[string][]map[string]float64{}}
	for _, v := range variants {
		r.Names = append(r.Names, v.Name)
	}
	for round := range n {
		measured := map[string]map[string]float64{}
		for i := range variants {
			v := variants[(i+round)%len(variants)]
			said(fmt.Sprintf("round %d of %d: %s", round+1, n, v.Name))
			values, err := v.Measure(ctx)
			if err != nil {
				return r, fmt.Errorf("%s, round %d: %w", v.Name, round+1, err)
			}
			measured[v.Name] = values
		}
		for name, values := range measured {
			r.Values[name] = append(r.Values[name], values)
		}
	}
	return r, nil
}

// Spread is the median of some values, and their range. It is not a number where there are none.
type Spread struct{ Median, Least, Most float64 }

// Of returns the spread of a quantity over the rounds.
func (r Results) Of(variant, quantity string) Spread {
	var all []float64
	for _, values := range r.Values[variant] {
		if value, measured := values[quantity]; measured {
			all = append(all, value)
		}
	}
	return spread(all)
}

// Ratio returns the spread of a quantity over that of another variant in the same round.
func (r Results) Ratio(variant, base, quantity string) Spread {
	var all []float64
	for round, values := range r.Values[variant] {
		value, measured := values[quantity]
		if to, also := r.Values[base][round][quantity]; measured && also {
			all = append(all, value/to)
		}
	}
	return spread(all)
}

func spread(all []float64) Spread {
	if len(all) == 0 {
		return Spread{math.NaN(), math.NaN(), math.NaN()}
	}
	slices.Sort(all)
	middle := (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	return Spread{middle, all[0], all[len(all)-1]}
}

// String returns "median (least-most)", or "-".
func (s Spread) String() string {
	if math.IsNaN(s.Median) {
		return "-"
	}
	return fmt.Sprintf("%s (%s-%s)", short(s.Median), short(s.Least), short(s.Most))
}

// short returns a number with three digits that count.
func short(value float64) string {
	switch {
	case value >= 100:
		return fmt.Sprintf("%.0f", value)
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	case value >= 0.1:
		return fmt.Sprintf("%.2f", value)
	}
	return fmt.Sprintf("%.3f", value)
}

// Table returns the results in Markdown: a row for each variant, and for each quantity its spread and its ratio
// to the base.
func (r Results) Table(quantities []Quantity) string {
	var out strings.Builder
	row := func(cells ...string) { out.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	head, line := []string{""}, []string{"---"}
	for _, q := range quantities {
		head, line = append(head, q.Name+", "+q.Unit, "ratio"), append(line, "---", "---")
	}
	row(head...)
	row(line...)
	for i, name := range r.Names {
		cells := []string{name}
		for _, q := range quantities {
			ratio := r.Ratio(name, r.Names[0], q.Name).String()
			if i == 0 {
				ratio = "1"
			}
			cells = append(cells, r.Of(name, q.Name).String(), ratio)
		}
		row(cells...)
	}
	return out.String()
}

// Panel returns a picture of the ratios to the base.
func (r Results) Panel(title string, quantities []Quantity) svgplot.Panel {
	panel := svgplot.Panel{Title: title, Categories: r.Names[1:], Least: 0.25, Most: 4, Apart: true}
	for _, tick := range []float64{0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4} {
		panel.Ticks = append(panel.Ticks, svgplot.Tick{Value: tick, Label: fmt.Sprint(tick)})
	}
	for _, q := range quantities {
		var points []svgplot.Point
		for _, name := range r.Names[1:] {
			ratio := r.Ratio(name, r.Names[0], q.Name)
			points = append(points, svgplot.Point{Middle: ratio.Median, Low: ratio.Least, High: ratio.Most})
		}
		panel.Points = append(panel.Points, points)
	}
	return panel
}
