// Command slm-copilot runs inside the appliance: it turns the context of the virtual
// machine into the configuration of LocalAI and nginx, and says when the model answers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `Usage: slm-copilot [--root DIR] COMMAND

Commands:
  configure [--context FILE] [--dry-run]
                               apply the context; changes only what differs
  bootstrap [--timeout TIME]   wait until the model answers, then report ready
  benchmark [--once]           measure how fast the model reads and writes, in a few minutes;
                               gives up when somebody asks the model (as root)
  smoke-test [--timeout TIME]  get one answer from the model, through nginx
  certificate                  renew certificates that are due, ask the ACME server
  check [URL] [--ca FILE | --pin SHA256] [--password-file FILE] [--http-port PORT]
        [--only KEY,KEY] [--skip KEY,KEY] [--junit FILE] [--json FILE] [--html FILE]
                               run the acceptance checks on an appliance (default: this one)
  check-model                  fail with the reason if LocalAI could not load the model
  gateway                      answer clients with what LocalAI says
  watch                        load the model again whenever LocalAI's backend dies, and
                               notice when the appliance stops answering
  status                       show the status; exit status 0 means that it is ready and
                               answers at this moment
  report                       show endpoint, password and certificate (as root)
  usage                        show who has used the model, and how much (as root)
  version                      show the version of this program

  --root DIR      work on the files below DIR; touch no owners and no units (default /)
  --once          only if this model was not measured on this machine, and again until
                  nobody asks the model
  --context FILE  read the context from FILE instead of where OpenNebula leaves it
  --dry-run       change nothing, show what would change, with secrets as ***
  --ca FILE       trust the certificates in FILE and no others
  --pin SHA256    trust the certificate with this fingerprint (root_sha256 in the report of
                  the appliance) and what it has signed, and no others
  --password-file FILE
                  read the password from FILE, - for standard input (default: the
                  password of this appliance, as root)
  --http-port PORT
                  the appliance's HTTP port (default 80)
  --only KEY,KEY  make the checks with these keys alone; a wrong key lists all of them
  --skip KEY,KEY  leave out the checks with these keys
  --junit FILE, --json FILE, --html FILE
                  write the results to FILE, for CI servers, programs or people
  --timeout TIME  give up after TIME, such as 90s or 30m

Exit status: 0 success, 1 failure, 2 wrong usage. Of check: 0 all passed, 1 a check failed,
2 the appliance could not be asked.
`

// errUsage is a mistake on the command line.
var errUsage = errors.New("wrong usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, newApp))
}

// run runs one command. makeApp builds what the commands work on; tests pass their own.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, makeApp func(root string) app) int {
	out := newTerminal(stdout)
	stderr = newTerminal(stderr)
	flags := newFlags("slm-copilot")
	root := flags.String("root", "/", "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		err = fmt.Errorf("%w: %w", errUsage, err)
	case flags.NArg() == 0:
		err = fmt.Errorf("%w: name a command", errUsage)
	default:
		a := makeApp(*root)
		a.stdout, a.stderr = out, stderr
		err = a.command(ctx, flags.Arg(0), flags.Args()[1:])
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, usage)
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "slm-copilot: %v\nsee slm-copilot -h\n", err)
		return 2
	}
	fmt.Fprintf(stderr, "slm-copilot: %v\n", err)
	if errors.As(err, new(unaskedError)) {
		return 2
	}
	return 1
}

func (a app) command(ctx context.Context, name string, args []string) error {
	flags := newFlags(name)
	switch name {
	case "configure":
		file := flags.String("context", "", "")
		dryRun := flags.Bool("dry-run", false, "")
		if err := parse(flags, args); err != nil {
			return err
		}
		if *dryRun {
			return a.preview(ctx, *file)
		}
		return a.configure(ctx, *file)
	case "bootstrap":
		timeout := flags.Duration("timeout", bootstrapTimeout, "")
		if err := parse(flags, args); err != nil {
			return err
		}
		return a.bootstrap(ctx, *timeout)
	case "benchmark":
		once := flags.Bool("once", false, "")
		if err := parse(flags, args); err != nil {
			return err
		}
		if *once {
			return a.benchmarkOnce(ctx)
		}
		return a.benchmark(ctx)
	case "smoke-test":
		timeout := flags.Duration("timeout", smokeTestTimeout, "")
		if err := parse(flags, args); err != nil {
			return err
		}
		return a.smokeTest(ctx, *timeout)
	case "check":
		options := checkFlags(flags)
		flags.IntVar(&a.httpPort, "http-port", a.httpPort, "")
		var err error
		if options.address, err = parseWithOne(flags, args); err != nil {
			return err
		}
		return a.check(ctx, *options)
	case "certificate":
		// For certbot, which calls it with a new certificate; so it is not in the usage.
		deployed := flags.Bool("deployed", false, "")
		if err := parse(flags, args); err != nil {
			return err
		}
		if *deployed {
			return a.takeCertificate(ctx)
		}
		return a.certificate(ctx)
	case "watch":
		if err := parse(flags, args); err != nil {
			return err
		}
		return a.watch(ctx)
	}
	simple, known := map[string]func(context.Context) error{
		"status": a.showStatus, "report": a.showReport, "usage": a.showUsage, "version": a.showVersion,
		"check-model": a.checkModel, "gateway": a.gateway,
	}[name]
	if !known {
		return fmt.Errorf("%w: there is no command %q", errUsage, name)
	}
	if err := parse(flags, args); err != nil {
		return err
	}
	return simple(ctx)
}

// newFlags returns a set that prints nothing itself: the usage above is the only help.
func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

// parseWithOne returns the one argument that may stand among the flags, or "".
func parseWithOne(flags *flag.FlagSet, args []string) (argument string, err error) {
	// Parse stops at the first argument that is not a flag.
	if err := flags.Parse(args); err == nil && flags.NArg() > 0 {
		argument, args = flags.Arg(0), flags.Args()[1:]
	}
	return argument, parse(flags, args)
}

func parse(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%w: %s: %w", errUsage, flags.Name(), err)
	case flags.NArg() > 0:
		return fmt.Errorf("%w: %s takes no argument %q", errUsage, flags.Name(), flags.Arg(0))
	}
	return nil
}
