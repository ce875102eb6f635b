// Command demo-run boots a finished image on this machine, as OpenNebula would, and prints
// how to connect to it. The image is never written to: all changes are discarded at the
// end.
package main

import (
	"cmp"
	"context"
	"encoding/json"
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

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/instance"
)

const (
	bootTimeout = 15 * time.Minute
	// powerDownTimeout is how long the system may take to shut down before the virtual
	// machine is killed.
	powerDownTimeout = time.Minute
)

const usage = `usage: demo-run [-memory MIB] [-model ID] IMAGE

Boots IMAGE, prints how to talk to it, and stops it on Ctrl-C. A second Ctrl-C does not
wait for the system inside to shut down.

  -memory MIB  memory of the virtual machine (default 2048)
  -model ID    id of the model that must answer (default: the one with which the image was
               verified, else ` + appliance.ModelID + `)
`

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo-run:", err)
		os.Exit(1)
	}
}

func run(arguments []string, out io.Writer) error {
	config, err := parse(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, usage)
		return nil
	case err != nil:
		return fmt.Errorf("%w\nsee demo-run -h", err)
	}
	if err := instance.Available("amd64", firmware.BIOS); err != nil {
		return fmt.Errorf("running an image needs programs of this host:\n%w", err)
	}
	return boot(config, out)
}

// parse parses the arguments; the error lists every mistake.
func parse(arguments []string) (config instance.Config, err error) {
	flags := flag.NewFlagSet("demo-run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&config.MemoryMiB, "memory", 2048, "")
	flags.StringVar(&config.Model, "model", "", "")
	if err := flags.Parse(arguments); err != nil {
		return config, err
	}
	var mistakes []error
	if config.MemoryMiB < appliance.MinMemory {
		mistakes = append(mistakes, fmt.Errorf("-memory: must be at least %d (MiB), with less no system boots; got %d", appliance.MinMemory, config.MemoryMiB))
	}
	if flags.NArg() != 1 {
		mistakes = append(mistakes, fmt.Errorf("name one image, not %d", flags.NArg()))
	}
	config.Image = flags.Arg(0)
	return config, errors.Join(mistakes...)
}

// asVerified takes the model from the verify report next to the image, and the duration of
// the first boot if it had the same accelerator. A missing report is not an error.
func asVerified(config instance.Config) (instance.Config, error) {
	var report acceptance.Report
	path := strings.TrimSuffix(config.Image, ".qcow2") + appliance.VerifyReportJSONSuffix
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &report)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return config, fmt.Errorf("read how long the boot took when the image was verified, in %s: %w", path, err)
	}
	if len(report.Boots) > 0 && report.Accelerator == config.Accelerator {
		config.UsualBoot = time.Duration(report.Boots[0].Ready)
	}
	config.Model = cmp.Or(config.Model, report.Model, appliance.ModelID)
	return config, nil
}

// boot runs the image until Ctrl-C, then shuts it down and cleans up.
func boot(config instance.Config, out io.Writer) (err error) {
	var warning string
	config.Accelerator, warning = accelerator.Detect("amd64")
	if warning != "" {
		fmt.Fprintln(out, "Warning:", warning)
	}
	if config, err = asVerified(config); err != nil {
		return err
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
	// Not the interrupted context, because the first Ctrl-C must shut the system down, not
	// kill QEMU.
	if err := running.Boot(context.Background()); err != nil {
		return err
	}
	if err := serve(interrupted, running, config.Image, out); err != nil {
		return err
	}
	return powerDown(running, out)
}

// serve returns nil if it is interrupted.
func serve(interrupted context.Context, running *instance.Instance, image string, out io.Writer) error {
	fmt.Fprintf(out, "Booting %s; Ctrl-C stops it.\n", image)
	line := progress.NewLine(out)
	ready, err := running.WaitReady(interrupted, line.Say)
	line.End()
	switch {
	case interrupted.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	fmt.Fprintf(out, "The appliance is ready, %s after power-on.\n", ready.Round(time.Second))
	checkout, err := os.Getwd()
	if err != nil {
		return err
	}
	fmt.Fprint(out, instructions(running.Target(), checkout))
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
