// Command serve implements `make serve`: it runs nginx with the site of a marketplace, to
// try it out, and removes its own files at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxrun"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/catalog"
)

const usage = `usage: serve [-listen ADDRESS:PORT] [DIRECTORY]

Serves the marketplace in DIRECTORY (default dist/marketplace) until Ctrl-C, and prints how
to add it to an OpenNebula.

  -listen ADDRESS:PORT  where the front-end reaches this machine (default 127.0.0.1:8085,
                        which is for a front-end on this machine alone)
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, out io.Writer) error {
	directory, base, err := parse(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, usage)
		return nil
	case err != nil:
		return fmt.Errorf("%w\nsee serve -h", err)
	}
	site, err := catalog.Site(directory, base)
	if err != nil {
		return fmt.Errorf("%w; name the directory of one, or run `make demo` first", err)
	}
	return serve(ctx, site, func() { fmt.Fprint(out, instructions(directory, base)) })
}

// parse parses the arguments; the error lists every mistake.
func parse(arguments []string) (directory string, base catalog.BaseURL, err error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	listen := flags.String("listen", "127.0.0.1:8085", "")
	if err := flags.Parse(arguments); err != nil {
		return "", base, err
	}
	var mistakes []error
	if base, err = endpoint(*listen); err != nil {
		mistakes = append(mistakes, fmt.Errorf("-listen: %w; got %q", err, *listen))
	}
	directory = "dist/marketplace"
	switch flags.NArg() {
	case 0:
	case 1:
		directory = flags.Arg(0)
	default:
		mistakes = append(mistakes, fmt.Errorf("name one directory, not %d", flags.NArg()))
	}
	return directory, base, errors.Join(mistakes...)
}

// endpoint rejects wildcard addresses, because OpenNebula is given this address too.
func endpoint(listen string) (catalog.BaseURL, error) {
	host, _, splitErr := net.SplitHostPort(listen)
	address, _ := netip.ParseAddr(host)
	base, err := catalog.ParseBaseURL("http://" + listen)
	if splitErr != nil || err != nil || address.IsUnspecified() {
		return base, errors.New("must be the address at which the front-end reaches this machine and a port, such as 192.0.2.7:8085")
	}
	return base, nil
}

// serve runs nginx until ctx ends, then deletes nginx's files.
func serve(ctx context.Context, site []byte, ready func()) (err error) {
	directory, err := os.MkdirTemp("", appliance.Name+"-serve-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// Otherwise the workers of an nginx started by root could not read root's files.
	server, err := nginxrun.Start(ctx, directory, "root", site, os.Stderr)
	if server != nil {
		defer func() { stop(); <-server.Ended() }()
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	ready()
	select {
	case <-ctx.Done():
		return nil
	case <-server.Ended():
		return errors.New("nginx ended by itself: it says why above")
	}
}

func instructions(directory string, base catalog.BaseURL) string {
	return fmt.Sprintf(`Serving %s at %s, as nginx does with its nginx.conf.

On the OpenNebula front-end:

%s

The apps appear after the next monitoring of the marketplace. Ctrl-C ends the serving.
`, directory, base, strings.Join(base.AddCommands(), "\n"))
}
