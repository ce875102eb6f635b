// Command inspect runs the checks that the builder runs on a finished image, and reports
// what makes it unfit to be published. The image is never written to.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/inspect"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, out io.Writer) error {
	if len(arguments) != 1 {
		return errors.New("usage: inspect IMAGE, a QCOW2 file; a raw copy is made beside it and removed again")
	}
	image := arguments[0]
	err := inspect.Inspect(ctx, image, filepath.Dir(image), func(line string) { fmt.Fprintln(out, line) })
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is fit to be published\n", image)
	return nil
}
