// Command payloads implements `make lock` and `make payloads`: it pins the downloads of an
// appliance in a lock file, and fetches them.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/payloads"
)

const usage = `usage: payloads VERB ...
  lock FILE                ask publishers for the digests FILE lacks, and check the others
  lock -update FILE        take the digests publishers have now
  payloads FILE DIR        bring what FILE pins into the cache directory DIR
  payloads FILE DIR ARCH   only what is for that architecture, amd64 or arm64

A bearer token for a gated model or a private registry is read where Packer reads the
variable of the examples: PKR_VAR_model_token, PKR_VAR_backend_token
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	if offline(err) {
		fmt.Fprintln(os.Stderr, "This asks publishers over the network. Run it where there is one, and carry over what it made.")
	}
	stop()
	os.Exit(1)
}

func run(ctx context.Context, arguments []string) error {
	switch {
	case len(arguments) == 1 && slices.Contains([]string{"-h", "-help", "--help"}, arguments[0]):
		fmt.Print(usage)
		return nil
	case len(arguments) == 2 && arguments[0] == "lock":
		return lock(ctx, arguments[1], false)
	case len(arguments) == 3 && arguments[0] == "lock" && arguments[1] == "-update":
		return lock(ctx, arguments[2], true)
	case len(arguments) == 3 && arguments[0] == "payloads":
		return collect(ctx, arguments[1], arguments[2], "")
	case len(arguments) == 4 && arguments[0] == "payloads":
		return collect(ctx, arguments[1], arguments[2], arguments[3])
	}
	return fmt.Errorf("payloads: wrong usage: %q\nsee payloads -h", arguments)
}

// tools returns tools that use the given cache directory. They print results to standard
// output and progress to standard error.
func tools(cache string) *payloads.Tools {
	note := func(line string) { fmt.Fprintln(os.Stderr, line) }
	fetcher := fetch.New(cache, note)
	puller := ociimage.NewPuller(cache, note)
	fetcher.Meter, puller.Meter = progress.Stderr, progress.Stderr
	return &payloads.Tools{
		Fetcher: fetcher,
		Puller:  puller,
		Token:   func(kind string) string { return os.Getenv("PKR_VAR_" + kind + "_token") },
		Say:     func(line string) { fmt.Println(line) },
	}
}

func offline(err error) bool {
	return errors.As(err, new(*net.OpError)) || errors.As(err, new(*net.DNSError))
}
