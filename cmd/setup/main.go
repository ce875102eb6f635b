// Command setup builds those tools and files for a level of the checkout that Debian has no
// package for: Packer, the agents, the plugin, and what the demonstration bakes. It builds
// independent things in parallel and always shows its progress.
//
// make runs it at the top of the repository, after internal/tools/setup.sh:
//
//	go run ./cmd/setup build|shell|demo|test|check|generate|lint
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/filelock"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// The levels, each of which includes the ones before it, and the verbs that need only the
// listed programs.
var (
	levels = []string{"build", "shell", "demo", "test"}
	verbs  = map[string][]program{
		"lint":     {linter},
		"generate": {generator},
		"check": {
			linter, generator,
			{module: "internal/tools/vuln", source: "golang.org/x/vuln/cmd/govulncheck"},
			{module: "internal/tools/vuln", source: "golang.org/x/vulndb/cmd/indexdb"},
		},
	}
	linter    = program{module: "internal/tools/lint", source: "github.com/golangci/golangci-lint/v2/cmd/golangci-lint"}
	generator = program{module: packerModule, source: "github.com/hashicorp/packer-plugin-sdk/cmd/packer-sdc"}
)

// appliances are the GOARCH values of the architectures that an appliance can have.
var appliances = []string{"amd64", "arm64"}

func main() {
	known := append(slices.Sorted(maps.Keys(verbs)), levels...)
	if len(os.Args) != 2 || !slices.Contains(known, os.Args[1]) {
		fmt.Fprintln(os.Stderr, "usage: setup", strings.Join(known, "|"))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := setUp(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		stop()
		os.Exit(1)
	}
}

func setUp(ctx context.Context, level string) error {
	cache, err := cacheDirectory()
	if err != nil {
		return err
	}
	jobs, end := progress.StartJobs(os.Stdout)
	defer end()
	s := &setup{jobs: jobs, cache: cache}
	release, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	if tools, found := verbs[level]; found {
		return s.tools(ctx, tools)
	}
	lanes := []func(context.Context) error{func(ctx context.Context) error { return s.programs(ctx, level) }}
	if level == "demo" || level == "test" {
		lanes = append(lanes, s.payloads)
	}
	if err := together(ctx, lanes); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(".cache", "build", level+".done"), nil, 0o644)
}

// lock allows one run at a time per user, because runs share the cache.
func (s *setup) lock(ctx context.Context) (release func(), err error) {
	var job *progress.Job
	lock, err := filelock.Wait(ctx, filepath.Join(s.cache, "lock"), func(string) {
		job = s.jobs.Start("another make of this user")
		job.Far("waiting until it has what both need")
	})
	if job != nil {
		job.End("ended")
	}
	if err != nil {
		return nil, err
	}
	return func() { _ = lock.Release() }, nil
}

// setup is the state that the jobs of one run share.
type setup struct {
	jobs *progress.Jobs
	// cache is a directory shared by all checkouts of this user.
	cache string
}

// cacheDirectory returns the directory for results that take long to build.
func cacheDirectory() (string, error) {
	directory := os.Getenv("SLM_COPILOT_CACHE")
	if directory == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("%w: say in SLM_COPILOT_CACHE where to keep what takes long to make", err)
		}
		directory = filepath.Join(base, "slm-copilot")
	}
	return directory, os.MkdirAll(directory, 0o755)
}

// programs compiles one program after another, because a compiler uses all cores, and later
// programs reuse packages that earlier ones compiled.
func (s *setup) programs(ctx context.Context, level string) error {
	architectures := appliances
	if level == "demo" || level == "test" {
		architectures = agentsOfTheDemo()
	}
	for _, architecture := range architectures {
		if err := s.agent(ctx, architecture); err != nil {
			return err
		}
	}
	if err := s.plugin(ctx); err != nil {
		return err
	}
	if level == "build" {
		return nil
	}
	return s.packer(ctx)
}

// agentsOfTheDemo returns the architecture that the demonstration bakes, and those whose
// agents exist already: the plugin must not embed an agent older than itself.
func agentsOfTheDemo() []string {
	return slices.DeleteFunc(slices.Clone(appliances), func(architecture string) bool {
		_, err := os.Stat(agentPath(architecture))
		return architecture != "amd64" && err != nil
	})
}

func agentPath(architecture string) string {
	return filepath.Join("provisioner", "agent", "slm-copilot-linux-"+architecture)
}

func (s *setup) agent(ctx context.Context, architecture string) error {
	return s.compile(ctx, "agent for "+architecture, program{
		source: "./runtime-agent", output: agentPath(architecture), strip: true, architecture: architecture,
	})
}

// payloads builds what the demonstration bakes. That is a separate program, because it
// links packages that take longer to compile than this one.
func (s *setup) payloads(ctx context.Context) error {
	const prepare = ".cache/build/prepare"
	if err := s.compile(ctx, "what makes the payloads", program{source: "./examples/demo/prepare", output: prepare}); err != nil {
		return err
	}
	job := s.jobs.Start("what the demo bakes")
	command := command(ctx, prepare, "-base-images", s.cache)
	if err := follow(command, func(line string) { job.Far(line) }); err != nil {
		job.End("failed")
		return err
	}
	job.End("made")
	return nil
}

// together runs the lanes in parallel; the first that fails cancels the others.
func together(ctx context.Context, lanes []func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	for _, lane := range lanes {
		wait.Go(func() {
			if err := lane(ctx); err != nil {
				cancel(err)
			}
		})
	}
	wait.Wait()
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted; make goes on from here when it is called again")
	}
	return err
}
