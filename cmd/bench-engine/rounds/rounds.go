// Package rounds measures variants side by side: in each round all of them run, and each thing is measured of one right
// after the other, in another order in each round, so that what else the machine does meets all of them alike. Ratios are
// taken within a round.
package rounds

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/svgplot"
)

// Variant is one way to run what is measured.
type Variant struct {
	Name  string
	Start func(ctx context.Context) (Session, error)
}

// Session is a variant that runs, until End.
type Session struct {
	// Steps return what they have measured, by the names of Quantity. All variants have the same ones.
	Steps []func(ctx context.Context) (map[string]float64, error)
	End   func()
}

// Quantity is something that is measured of variants, if not of all.
type Quantity struct{ Name, Unit string }

// Results has the values of each variant, by name: one map for each round.
type Results struct {
	// Names are those of the variants; the first is the base.
	Names  []string
	Values map[string][]map[string]float64
}

// Run measures all variants n times; said is told what begins.
func Run(ctx context.Context, variants []Variant, n int, said func(string)) (Results, error) {
	r := Results{Values: map[string][]map[string]float64{}}
	for _, v := range variants {
		r.Names = append(r.Names, v.Name)
	}
	for round := range n {
		said(fmt.Sprintf("round %d of %d: %s", round+1, n, strings.Join(r.Names, ", ")))
		turned := slices.Concat(variants[round%len(variants):], variants[:round%len(variants)])
		values, err := once(ctx, turned)
		if err != nil {
			return r, fmt.Errorf("round %d: %w", round+1, err)
		}
		for i, v := range turned {
			r.Values[v.Name] = append(r.Values[v.Name], values[i])
		}
	}
	return r, nil
}

// once runs one round, and returns the values of each variant.
func once(ctx context.Context, variants []Variant) ([]map[string]float64, error) {
	var sessions []Session
	defer func() {
		for _, s := range sessions {
			s.End()
		}
	}()
	values := make([]map[string]float64, len(variants))
	for i, v := range variants {
		s, err := v.Start(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.Name, err)
		}
		sessions, values[i] = append(sessions, s), map[string]float64{}
	}
	for step := range sessions[0].Steps {
		for i, s := range sessions {
			measured, err := s.Steps[step](ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", variants[i].Name, err)
			}
			maps.Copy(values[i], measured)
		}
	}
	return values, nil
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
