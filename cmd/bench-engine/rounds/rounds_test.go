package rounds

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/svgplot"
)

// diary notes what variants do, in one line a round.
type diary struct{ strings.Builder }

// variant has two steps, whose value is that of of in each round.
func (d *diary) variant(name string, of ...float64) Variant {
	round := -1
	return Variant{Name: name, Start: func(context.Context) (Session, error) {
		round++
		step := func(quantity string, factor float64) func(context.Context) (map[string]float64, error) {
			return func(context.Context) (map[string]float64, error) {
				fmt.Fprintf(d, "%s:%s ", name, quantity)
				if of[round] == 0 {
					return nil, errors.New("cannot")
				}
				return map[string]float64{quantity: factor * of[round]}, nil
			}
		}
		return Session{Steps: []func(context.Context) (map[string]float64, error){step("one", 1), step("ten", 10)}, End: func() { fmt.Fprintf(d, "-%s ", name) }}, nil
	}}
}

func silent(string) {}

func TestEachThingIsMeasuredOfAllInTurn(t *testing.T) {
	var d diary
	_, err := Run(t.Context(), []Variant{d.variant("a", 1, 1), d.variant("b", 1, 1), d.variant("c", 1, 1)}, 2, silent)
	require.NoError(t, err)
	assert.Equal(t, "a:one b:one c:one a:ten b:ten c:ten -a -b -c b:one c:one a:one b:ten c:ten a:ten -b -c -a ", d.String())
}

func TestAFailureEndsAllSessions(t *testing.T) {
	var d diary
	results, err := Run(t.Context(), []Variant{d.variant("a", 1, 1), d.variant("b", 1, 0)}, 2, silent)
	assert.EqualError(t, err, "round 2: b: cannot")
	assert.True(t, strings.HasSuffix(d.String(), "b:one -b -a "), d.String())
	assert.Len(t, results.Values["a"], 1, "a round that was not whole counts for nobody")
}

func TestWhatCannotStartEndsThoseThatDid(t *testing.T) {
	var d diary
	broken := Variant{Name: "b", Start: func(context.Context) (Session, error) { return Session{}, errors.New("missing") }}
	_, err := Run(t.Context(), []Variant{d.variant("a", 1), broken}, 1, silent)
	assert.EqualError(t, err, "round 1: b: missing")
	assert.Equal(t, "-a ", d.String())
}

// The machine is half as fast in the second round: the ratios do not notice.
func measured(t *testing.T) Results {
	t.Helper()
	var d diary
	results, err := Run(t.Context(), []Variant{d.variant("base", 40, 20, 30), d.variant("other <setting>", 60, 30, 60)}, 3, silent)
	require.NoError(t, err)
	return results
}

func TestRatiosAreThoseOfARound(t *testing.T) {
	results := measured(t)
	assert.Equal(t, Spread{30, 20, 40}, results.Of("base", "one"))
	assert.Equal(t, Spread{1.5, 1.5, 2}, results.Ratio("other <setting>", "base", "one"))
	assert.True(t, math.IsNaN(results.Of("base", "never measured").Median))
	assert.Equal(t, "-", results.Ratio("base", "base", "never measured").String())
}

func TestTheMedianOfTwoIsBetweenThem(t *testing.T) {
	assert.Equal(t, Spread{2, 1, 3}, spread([]float64{3, 1}))
}

func TestTable(t *testing.T) {
	quantities := []Quantity{{"one", "tokens/s"}, {"ten", "s"}, {"none", "s"}}
	goldentest.Equal(t, "testdata/table.md", measured(t).Table(quantities))
}

func TestPanel(t *testing.T) {
	quantities := []Quantity{{"one", "tokens/s"}, {"ten", "s"}, {"none", "s"}}
	plot := svgplot.Plot{Panels: []svgplot.Panel{measured(t).Panel("settings", quantities)}, Series: []string{"one", "ten", "none"}}
	goldentest.Equal(t, "testdata/plot.svg", plot.Draw())
}
