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
  smoke-test [--timeout TIME]  get one answer from the model, through nginx
  certificate                  renew certificates that are due, ask the ACME server
  check [URL] [--ca FILE] [--password-file FILE] [--http-port PORT]
                               run the acceptance checks on an appliance, this one without URL
  check-model                  why the engine would not load its model, if so
  watch                        bring the engine's backend back whenever it dies
  status                       how the appliance is doing; exit status 0 means ready
  report                       endpoint, password and certificate (for root)
  version                      the version of this program

  --root DIR      a directory that plays the machine: no owners, no units (default /)
  --context FILE  read the context from FILE, not from where OpenNebula leaves it
  --dry-run       change nothing, and show what would change, secrets as ***
  --ca FILE       trust the certificates in FILE and no others
  --password-file FILE
                  read the password from FILE, - for standard input (default: the
                  password of this appliance, for root)
  --http-port PORT
                  where the appliance answers without TLS (default 80)
  --timeout TIME  give up after TIME, such as 90s or 30m

Exit status: 0 success, 1 failure, 2 wrong usage.
`

// errUsage is a mistake on the command line.
var errUsage = errors.New("wrong usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, newApp))
}

// run does one command. makeApp builds what the commands work on; a test puts in its own.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, makeApp func(root string) app) int {
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
		a.stdout, a.stderr = stdout, stderr
		err = a.command(ctx, flags.Arg(0), flags.Args()[1:])
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "slm-copilot: %v\nsee slm-copilot -h\n", err)
		return 2
	}
	fmt.Fprintf(stderr, "slm-copilot: %v\n", err)
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
	case "smoke-test":
		timeout := flags.Duration("timeout", smokeTestTimeout, "")
		if err := parse(flags, args); err != nil {
			return err
		}
		return a.smokeTest(ctx, *timeout)
	case "check":
		caFile := flags.String("ca", "", "")
		passwordFile := flags.String("password-file", "", "")
		flags.IntVar(&a.httpPort, "http-port", a.httpPort, "")
		url, err := parseWithOne(flags, args)
		if err != nil {
			return err
		}
		return a.check(ctx, url, *caFile, *passwordFile)
	case "certificate":
		// For certbot, which calls it with a new certificate; so the usage is silent.
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
	simple, known := map[string]func() error{
		"status": a.showStatus, "report": a.showReport, "version": a.showVersion,
		"check-model": a.checkModel,
	}[name]
	if !known {
		return fmt.Errorf("%w: there is no command %q", errUsage, name)
	}
	if err := parse(flags, args); err != nil {
		return err
	}
	return simple()
}

// newFlags returns a set that says nothing itself: the usage above is all there is.
func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

// parseWithOne returns the one argument that may stand among the flags; empty if there is
// none.
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
