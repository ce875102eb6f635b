package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/cmd/bench-engine/rounds"
	"github.com/slm-copilot/packer-plugin-slm-copilot/cmd/bench-engine/synthetic"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/svgplot"
)

// contextSize is in tokens: room for all that is asked.
const contextSize = 8192

func processors() int { return runtime.NumCPU() }

// setting is one way to run llama-server that differs from the appliance's in one thing.
type setting struct {
	name string
	// flags come after those of the appliance, and the last one counts.
	flags []string
	// environment takes the place of the appliance's, unless it is nil.
	environment []string
}

// group is what one name of -only stands for.
type group struct {
	name     string
	settings func() []setting
}

const waitingGroup, applianceGroup = "waiting", "appliance"

func flags(name string, all ...string) setting { return setting{name: name, flags: all} }

func environment(name string, all ...string) setting { return setting{name: name, environment: all} }

var groups = []group{
	{waitingGroup, func() []setting {
		return []setting{
			environment("libgomp's own waiting", hugePages), environment("GOMP_SPINCOUNT=1000", hugePages, "GOMP_SPINCOUNT=1000"),
			environment("OMP_WAIT_POLICY=active", hugePages, "OMP_WAIT_POLICY=active"), environment("OMP_WAIT_POLICY=passive", hugePages, "OMP_WAIT_POLICY=passive"),
		}
	}},
	{"threads", func() []setting {
		less, more := strconv.Itoa(max(1, processors()/2)), strconv.Itoa(processors()+1)
		return []setting{
			flags("threads "+less, "--threads", less), flags("threads_batch "+less, "--threads-batch", less),
			flags("threads "+more, "--threads", more, "--threads-batch", more),
		}
	}},
	{"batch", func() []setting {
		var all []setting
		for _, n := range []string{"128", "256", "1024"} {
			all = append(all, flags("batch "+n, "--batch-size", n, "--ubatch-size", n))
		}
		return all
	}},
	{"attention", func() []setting {
		return []setting{flags("flash attention off", "--flash-attn", "off"), flags("KV cache q8_0", "--cache-type-k", "q8_0", "--cache-type-v", "q8_0")}
	}},
	{"pages", func() []setting {
		return []setting{environment("no huge pages", spinCount)}
	}},
	{"speculation", func() []setting { return []setting{flags("no speculation", "--spec-type", "none")} }},
	{name: applianceGroup},
}

func groupNames() []string {
	var names []string
	for _, g := range groups {
		names = append(names, g.name)
	}
	return names
}

// plain are the flags that the appliance and bare llama.cpp have in common.
func plain() []string {
	threads := strconv.Itoa(processors())
	return []string{
		"--ctx-size", strconv.Itoa(contextSize), "--parallel", "1", "--threads", threads, "--threads-batch", threads,
		"--batch-size", "512", "--ubatch-size", "512", "--flash-attn", "on", "--jinja", "--alias", appliance.ModelID,
	}
}

const spinCount, hugePages = "GOMP_SPINCOUNT=10000", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1"

// ours are the settings of the appliance (runtime-agent/localai) that a group varies, for llama-server.
func ours() setting {
	return setting{"as the appliance", []string{
		"--spec-type", "ngram-mod", "--spec-ngram-mod-n-match", "16", "--spec-ngram-mod-n-min", "8", "--spec-ngram-mod-n-max", "15",
		"--slot-prompt-similarity", "0.0",
	}, []string{spinCount, hugePages}}
}

// bench measures what the options name, and writes the tables.
func bench(ctx context.Context, o options, out, said io.Writer) error {
	fmt.Fprintf(out, "%s. Load before: %s.\n\n", machine(), load())
	quantities := []rounds.Quantity{readShort, readLong, writeNew, writeEdit}
	plot := svgplot.Plot{PerRow: 3}
	for _, q := range quantities {
		plot.Series = append(plot.Series, q.Name)
	}
	for _, g := range groups {
		if !slices.Contains(o.groups, g.name) {
			continue
		}
		if g.name == applianceGroup {
			if err := benchAppliance(ctx, o, out, said); err != nil {
				return err
			}
			continue
		}
		results, err := rounds.Run(ctx, g.variants(o), o.rounds, func(what string) { fmt.Fprintln(said, what) })
		if len(results.Values) > 0 { // some whole rounds, if it was interrupted
			fmt.Fprintln(out, results.Table(quantities))
			fmt.Fprintln(out, results.Table(processorTimes(quantities)))
		}
		if err != nil {
			return err
		}
		plot.Panels = append(plot.Panels, results.Panel(g.name+", by processor time", processorTimes(quantities)))
	}
	fmt.Fprintf(out, "Load after: %s.\n", load())
	if o.plot == "" || len(plot.Panels) == 0 {
		return nil
	}
	return os.WriteFile(o.plot, []byte(plot.Draw()), 0o644)
}

// processorTimes are speeds too, over the time of all processors and threads that spin included. They hardly depend on what
// else the machine computes.
func processorTimes(quantities []rounds.Quantity) []rounds.Quantity {
	var all []rounds.Quantity
	for _, q := range quantities {
		all = append(all, rounds.Quantity{Name: byProcessor(q.Name), Unit: q.Unit})
	}
	return all
}

// variants returns llama-server with the appliance's settings, and with each of the group.
func (g group) variants(o options) []rounds.Variant {
	base := ours()
	var variants []rounds.Variant
	for _, s := range append([]setting{base}, g.settings()...) {
		server := bare{o.server, o.model, slices.Concat(plain(), base.flags, s.flags), base.environment}
		if s.environment != nil {
			server.environment = s.environment
		}
		variants = append(variants, rounds.Variant{Name: s.name, Start: func(ctx context.Context) (rounds.Session, error) {
			r, err := server.start(ctx)
			if err != nil {
				return rounds.Session{}, err
			}
			if g.name == waitingGroup && !r.openMP {
				r.end()
				return rounds.Session{}, errors.New("-only waiting: the engine's libraries are built without OpenMP, and wait as they like: leave the group out")
			}
			return rounds.Session{Steps: r.alone(r.work(synthetic.NewText(1))), End: r.end}, nil
		}})
	}
	return variants
}

// target is what the appliance is to reach.
type target struct {
	what     string
	measured func(rounds.Results) rounds.Spread
	// most is the limit; if it is 0, least is.
	most, least float64
}

const bareName, applianceName = "llama-server", "the appliance"

// targets are those that the design states for the appliance.
var targets = []target{
	{"new text, over llama-server", func(r rounds.Results) rounds.Spread { return r.Ratio(applianceName, bareName, writeNew.Name) }, 0, 0.98},
	{"the same by processor time", func(r rounds.Results) rounds.Spread {
		return r.Ratio(applianceName, bareName, byProcessor(writeNew.Name))
	}, 0, 0.98},
	{"edits, over llama-server", func(r rounds.Results) rounds.Spread { return r.Ratio(applianceName, bareName, writeEdit.Name) }, 0, 1.6},
	{"the same by processor time", func(r rounds.Results) rounds.Spread {
		return r.Ratio(applianceName, bareName, byProcessor(writeEdit.Name))
	}, 0, 1.6},
	{"second turn over first, time to the first token", func(r rounds.Results) rounds.Spread { return r.Of(applianceName, second.Name) }, 0.05, 0},
	{"later turns over first ones, two conversations in turn", func(r rounds.Results) rounds.Spread { return r.Of(applianceName, taking.Name) }, 0.1, 0},
}

func (t target) row(r rounds.Results) string {
	measured := t.measured(r)
	limit, met := fmt.Sprintf("at most %v", t.most), measured.Median <= t.most
	if t.most == 0 {
		limit, met = fmt.Sprintf("at least %v", t.least), measured.Median >= t.least
	}
	verdict := map[bool]string{true: "reached", false: "missed"}[met]
	return fmt.Sprintf("| %s | %s | %s | %s |\n", t.what, limit, measured, verdict)
}

// benchAppliance measures the appliance beside llama-server without anything.
func benchAppliance(ctx context.Context, o options, out, said io.Writer) (err error) {
	root, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	whole, err := configure(ctx, o, root)
	if err != nil {
		return err
	}
	running := func(name string, start func(context.Context) (*running, error)) rounds.Variant {
		return rounds.Variant{Name: name, Start: func(ctx context.Context) (rounds.Session, error) {
			r, err := start(ctx)
			if err != nil {
				return rounds.Session{}, err
			}
			text := synthetic.NewText(1)
			loaded := func(context.Context) (map[string]float64, error) {
				return map[string]float64{loading.Name: r.load.Seconds()}, nil
			}
			return rounds.Session{Steps: slices.Concat([]step{loaded}, r.work(text), r.turns(text)), End: r.end}, nil
		}}
	}
	variants := []rounds.Variant{
		running(bareName, bare{o.server, o.model, plain(), ours().environment}.start),
		running("LocalAI without the gateway", whole.localAI),
		running(applianceName, whole.start),
	}
	results, err := rounds.Run(ctx, variants, o.rounds, func(what string) { fmt.Fprintln(said, what) })
	if err != nil {
		return err
	}
	work := []rounds.Quantity{readShort, readLong, writeNew, writeEdit}
	fmt.Fprintln(out, results.Table(slices.Concat(work, []rounds.Quantity{second, taking, loading})))
	fmt.Fprintln(out, results.Table(processorTimes(work)))
	var table strings.Builder
	table.WriteString("| target | | measured | |\n| --- | --- | --- | --- |\n")
	for _, t := range targets {
		table.WriteString(t.row(results))
	}
	fmt.Fprintln(out, table.String())
	return nil
}
