// Command demo-run boots a finished image on this machine, as OpenNebula would, and says how
// to talk to it. The image is only read: whatever happens inside is gone afterwards.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/instance"
)

const (
	bootTimeout = 15 * time.Minute
	// powerDownTimeout is how long the system may take to shut down before the plug is
	// pulled.
	powerDownTimeout = time.Minute
)

const usage = `usage: run [-memory MIB] [-model ID] IMAGE

Boots IMAGE, prints how to talk to it, and stops it on Ctrl-C. A second Ctrl-C does not
wait for the system inside to shut down.

  -memory MIB  memory of the virtual machine (default 2048)
  -model ID    id of the model that must answer (default ` + appliance.ModelID + `)
`

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string, out io.Writer) error {
	var config instance.Config
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&config.MemoryMiB, "memory", 2048, "")
	flags.StringVar(&config.Model, "model", appliance.ModelID, "")
	err := flags.Parse(arguments)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, usage)
		return nil
	}
	if err != nil || flags.NArg() != 1 {
		return errors.Join(err, errors.New(strings.TrimSpace(usage)))
	}
	config.Image = flags.Arg(0)
	if err := instance.Available("amd64", false); err != nil {
		return fmt.Errorf("running an image needs programs of this host:\n%w", err)
	}
	return boot(config, out)
}

// boot runs the image until Ctrl-C and cleans up behind it.
func boot(config instance.Config, out io.Writer) (err error) {
	var warning string
	config.Accelerator, warning = accelerator.Detect("amd64")
	if warning != "" {
		fmt.Fprintln(out, "Warning:", warning)
	}
	logs, err := os.MkdirTemp("", appliance.Name+"-run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(logs)) }()
	config.SerialLog = filepath.Join(logs, "serial.log")
	config.CPUs, config.BootTimeout = 2, bootTimeout

	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	running, err := instance.Create(interrupted, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, running.Discard()) }()
	// The first Ctrl-C must not end the virtual machine: it is powered down.
	if err := running.Boot(context.Background()); err != nil {
		return err
	}
	if err := serve(interrupted, running, out); err != nil {
		return err
	}
	return powerDown(running, out)
}

// serve returns nil when it is interrupted.
func serve(interrupted context.Context, running *instance.Instance, out io.Writer) error {
	fmt.Fprintln(out, "Booting the image; Ctrl-C stops it.")
	_, err := running.WaitReady(interrupted, func(line string) { fmt.Fprintln(out, line) })
	switch {
	case interrupted.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	fmt.Fprint(out, instructions(running.Target()))
	select {
	case <-interrupted.Done():
		return nil
	case <-running.Exited():
		return running.ExitError()
	}
}

func powerDown(running *instance.Instance, out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, powerDownTimeout)
	defer cancel()
	fmt.Fprintln(out, "\nPowering the virtual machine down; Ctrl-C again pulls the plug.")
	if err := running.PowerDown(ctx); ctx.Err() == nil {
		return err
	}
	fmt.Fprintln(out, "Pulling the plug.")
	return nil
}
