package qemuvm

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
)

// tryTimeout is a hundred times what creating a VM that never runs takes.
const tryTimeout = 20 * time.Second

// TryOut returns a check that creates a VM and ends it before it runs. kind is a value of
// QEMU's -machine; an empty one means what Start uses.
func TryOut(arch, kind, accelerated string) hostprogram.Try {
	if kind == "" {
		kind = machine(arch)
	}
	return func(ctx context.Context, directory string) error {
		program, from := emulators[arch].program, emulators[arch].distributionPackage
		err := runAndQuit(ctx, directory, program, from, "-machine", kind,
			"-accel", accelerator.Option(accelerated), "-cpu", accelerator.CPU(accelerated))
		if err != nil {
			what := fmt.Sprintf("making a machine %s with %s", kind, accelerated)
			return hostprogram.Failed(ctx, what, err, program, "-version", from)
		}
		return nil
	}
}

func runAndQuit(ctx context.Context, directory, program string, from hostprogram.Package, arguments ...string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, tryTimeout, fmt.Errorf("it did not end within %s", tryTimeout))
	defer cancel()
	cmd, err := hostprogram.Command(ctx, program, from, append(arguments, "-nodefaults", "-display", "none", "-S", "-monitor", "stdio")...)
	if err != nil {
		return err
	}
	cmd.Dir, cmd.Stdin = directory, strings.NewReader("quit\n")
	return hostprogram.Run(ctx, cmd)
}
