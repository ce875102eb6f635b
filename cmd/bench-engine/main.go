// Command bench-engine implements `make bench-engine`: it measures a real engine, setting by setting, and what the
// appliance adds to it, and writes what docs/performance.md shows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/slm-copilot/packer-plugin-slm-copilot/cmd/bench-engine/synthetic"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

const usage = `usage: bench-engine -localai FILE -backends DIRECTORY -llama-server FILE -agent FILE -model FILE
                    [-only GROUPS] [-rounds N] [-plot FILE]
       bench-engine model SHAPE LAYERS FILE

Measures the engine and prints tables in Markdown; what it does at the moment goes to standard
error. Ctrl-C ends it, and all that it started.

  -localai FILE       the program local-ai
  -backends DIRECTORY where its backend is: llama-cpp/run.sh
  -llama-server FILE  llama.cpp's own server, of the same source and libraries
  -agent FILE         the agent: make build makes it
  -model FILE         one that "bench-engine model" wrote, because its answers are known
  -only GROUPS        some of them, with commas between: %s
  -rounds N           how often each is measured (default 5)
  -plot FILE          where to draw the ratios, as SVG

"bench-engine model" writes a model whose layers are as wide as those of
%s, and has as many of them as you say.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench-engine:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, out, said io.Writer) error {
	if len(arguments) > 0 && arguments[0] == "model" {
		return writeModel(arguments[1:])
	}
	o, err := parse(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		var shapes []string
		for _, s := range synthetic.Shapes {
			shapes = append(shapes, s.Name)
		}
		fmt.Fprintf(out, usage, strings.Join(groupNames(), ", "), strings.Join(shapes, " or "))
		return nil
	case err != nil:
		return fmt.Errorf("%w\nsee bench-engine -h", err)
	}
	return bench(ctx, o, out, said)
}

// options are what the command line says. All paths are absolute.
type options struct {
	localai, backends, server, agent, model, plot string
	groups                                        []string
	rounds                                        int
}

// parse parses the arguments; the error lists all that is wrong or missing.
func parse(arguments []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench-engine", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.localai, "localai", "", "")
	flags.StringVar(&o.backends, "backends", "", "")
	flags.StringVar(&o.server, "llama-server", "", "")
	flags.StringVar(&o.agent, "agent", "", "")
	flags.StringVar(&o.model, "model", "", "")
	flags.StringVar(&o.plot, "plot", "", "")
	only := flags.String("only", strings.Join(groupNames(), ","), "")
	flags.IntVar(&o.rounds, "rounds", 5, "")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	var mistakes []error
	mistakes = append(mistakes,
		present(&o.localai, "", "-localai: name LocalAI's program, local-ai"),
		present(&o.backends, filepath.Join(appliance.BackendName, "run.sh"), "-backends: name the directory of LocalAI's backends"),
		present(&o.server, "", "-llama-server: name llama.cpp's server, built of what the backend is built of"),
		present(&o.agent, "", "-agent: name the agent; make build makes it"),
		present(&o.model, "", `-model: name a model that "bench-engine model" wrote`))
	o.groups = strings.Split(*only, ",")
	for _, name := range o.groups {
		if !slices.Contains(groupNames(), name) {
			mistakes = append(mistakes, fmt.Errorf("-only: there is no group %q, only %s", name, strings.Join(groupNames(), ", ")))
		}
	}
	if o.rounds < 1 {
		mistakes = append(mistakes, fmt.Errorf("-rounds: must be 1 or more, not %d", o.rounds))
	}
	if flags.NArg() > 0 {
		mistakes = append(mistakes, fmt.Errorf("%q is no option", flags.Arg(0)))
	}
	return o, errors.Join(mistakes...)
}

// present makes a path absolute; it is an error if nothing is there, or no such file in it.
func present(path *string, file, missing string) error {
	if *path == "" {
		return errors.New(missing)
	}
	absolute, err := filepath.Abs(*path)
	if err == nil {
		_, err = os.Stat(filepath.Join(absolute, file))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", missing, err)
	}
	*path = absolute
	return nil
}

func writeModel(arguments []string) (err error) {
	if len(arguments) != 3 {
		return errors.New("model: name a shape, the number of layers and a file\nsee bench-engine -h")
	}
	at := slices.IndexFunc(synthetic.Shapes, func(s synthetic.Shape) bool { return s.Name == arguments[0] })
	layers, errLayers := strconv.Atoi(arguments[1])
	switch {
	case at < 0:
		return fmt.Errorf("model: there is no shape %q\nsee bench-engine -h", arguments[0])
	case errLayers != nil || layers < 1:
		return fmt.Errorf("model: the number of layers is %q, must be 1 or more", arguments[1])
	}
	file, err := os.Create(arguments[2])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return synthetic.Write(file, synthetic.Shapes[at], layers)
}

// machine returns one line about the processors and what keeps them busy.
func machine() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // without it the line says less
	field := func(name string) (value string) {
		for line := range strings.Lines(string(text)) {
			if key, rest, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
				return strings.TrimSpace(rest)
			}
		}
		return "?"
	}
	var known []string
	flags := strings.Fields(field("flags"))
	for _, feature := range []string{"avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8"} {
		if slices.Contains(flags, feature) {
			known = append(known, feature)
		}
	}
	processors, _ := exec.Command("nproc").Output() //nolint:noctx // it says at once
	return fmt.Sprintf("%s processors, %s (%s)", strings.TrimSpace(string(processors)), field("model name"), strings.Join(known, ", "))
}

// load returns the load average of the last minute.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg") // without it there is none to tell
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
