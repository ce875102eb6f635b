package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/contextiso"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/qemuvm"
)

// Config says what to boot, and how.
type Config struct {
	// Image is the finished QCOW2, which is never written to. Arch is the GOARCH value of its
	// architecture; it defaults to "amd64".
	Image string
	Arch  string
	// ModelImage is the QCOW2 with the weights, if they are not in Image. It is attached
	// read-only.
	ModelImage string
	// Context holds the user's values; they must pass CheckContext.
	Context map[string]string
	// Model is the id of the model that must answer.
	Model       string
	MemoryMiB   int
	CPUs        int
	Accelerator string
	// SerialLog receives the serial console of every boot. Keeping or removing it is up to the
	// caller.
	SerialLog string
	// BootTimeout limits the time from power-on to the first token. UsualBoot is how long that
	// took before, 0 if unknown.
	BootTimeout, UsualBoot time.Duration
}

// Instance is an image with a context. It is not running until Boot.
type Instance struct {
	config Config
	values map[string]string
	// directory contains the overlay and the CONTEXT image, and is removed with the instance.
	directory string
	vm        *qemuvm.VM
	booted    time.Time
	// consoleStart is the offset in the serial log at which this boot begins.
	consoleStart int
	target       acceptance.Target
}

// Available returns one error that lists every missing program or firmware for instances of an
// architecture (a GOARCH value). boot is firmware.BIOS, or another value if UEFI is used.
func Available(arch, boot string) error {
	var firmwareMissing error
	if boot != firmware.BIOS || needsUEFI(arch) {
		_, firmwareMissing = firmware.Find(arch)
	}
	return errors.Join(qemuvm.Available(arch), qemuimg.Available(), contextiso.Available(), firmwareMissing)
}

// needsUEFI reports whether an architecture has no BIOS.
func needsUEFI(arch string) bool { return arch == "arm64" }

// Create creates the overlay and the CONTEXT image.
func Create(ctx context.Context, config Config) (*Instance, error) {
	if config.Arch == "" {
		config.Arch = "amd64"
	}
	directory, err := os.MkdirTemp("", appliance.Name+"-instance-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the instance: %w", err)
	}
	i := &Instance{config: config, values: contextValues(config.Context), directory: directory}
	i.target = i.newTarget()
	if err := i.writeDisks(ctx); err != nil {
		return nil, errors.Join(err, i.Discard())
	}
	return i, nil
}

func (i *Instance) writeDisks(ctx context.Context) error {
	if err := qemuimg.CreateOverlay(ctx, i.config.Image, i.overlay()); err != nil {
		return err
	}
	return contextiso.Write(ctx, i.contextISO(), i.values, nil)
}

func (i *Instance) overlay() string    { return filepath.Join(i.directory, "overlay.qcow2") }
func (i *Instance) contextISO() string { return filepath.Join(i.directory, "context.iso") }

// newTarget sets everything except the addresses and the root CA, which are known after a
// boot.
func (i *Instance) newTarget() acceptance.Target {
	names := []string{"127.0.0.1", i.values["ETH0_IP"]}
	if domain := i.values[appliance.VarDomain]; domain != "" {
		names = append(names, domain)
	}
	return acceptance.Target{Names: names, Password: i.values[appliance.VarPassword], Model: i.config.Model}
}

// Boot powers the instance on, with a BIOS if its architecture has one. The instance is
// powered off hard when ctx ends, and before it is booted again.
func (i *Instance) Boot(ctx context.Context) error {
	if needsUEFI(i.config.Arch) {
		return i.BootUEFI(ctx)
	}
	return i.boot(ctx, firmware.Files{})
}

// BootUEFI powers the instance on with UEFI firmware whose variables keep nothing from earlier
// boots.
func (i *Instance) BootUEFI(ctx context.Context) error {
	files, err := firmware.Find(i.config.Arch)
	if err != nil {
		return err
	}
	template, err := os.ReadFile(files.Vars)
	if err != nil {
		return fmt.Errorf("copy the variables of the UEFI firmware: %w", err)
	}
	files.Vars = filepath.Join(i.directory, "uefi-variables.fd")
	if err := os.WriteFile(files.Vars, template, 0o600); err != nil {
		return fmt.Errorf("copy the variables of the UEFI firmware: %w", err)
	}
	return i.boot(ctx, files)
}

func (i *Instance) boot(ctx context.Context, uefi firmware.Files) error {
	if i.vm != nil {
		i.vm.Kill()
	}
	i.consoleStart = len(i.console())
	vm, err := qemuvm.Start(ctx, qemuvm.Config{
		Arch:        i.config.Arch,
		UEFI:        uefi,
		Disk:        i.overlay(),
		ModelDisk:   i.config.ModelImage,
		ContextISO:  i.contextISO(),
		SerialLog:   i.config.SerialLog,
		MemoryMiB:   i.config.MemoryMiB,
		CPUs:        i.config.CPUs,
		Accelerator: i.config.Accelerator,
		GuestPorts:  []int{appliance.HTTPPort, appliance.HTTPSPort},
	})
	if err != nil {
		return err
	}
	i.vm, i.booted = vm, time.Now()
	i.target.HTTP, i.target.HTTPS = vm.Address(appliance.HTTPPort), vm.Address(appliance.HTTPSPort)
	return nil
}

// Target returns how clients reach the instance. Its root CA is known once the instance is
// ready.
func (i *Instance) Target() *acceptance.Target {
	return &i.target
}

// Exited returns a channel that is closed when the instance is no longer running.
func (i *Instance) Exited() <-chan struct{} {
	return i.vm.Exited()
}

// WhileRunning returns a context that ends when the instance does.
func (i *Instance) WhileRunning(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-i.vm.Exited():
			stop(i.vm.Reason())
		case <-ctx.Done():
		}
	}()
	return ctx, func() { stop(nil) }
}

// ExitError returns why the instance is no longer running, with the end of its console.
func (i *Instance) ExitError() error {
	return i.withConsole(i.vm.Reason())
}

// PowerDown lets the guest system shut itself down.
func (i *Instance) PowerDown(ctx context.Context) error {
	if err := i.vm.PowerDown(ctx); err != nil {
		return i.withConsole(err)
	}
	return nil
}

// Discard kills the instance and removes what it wrote, except the serial log.
func (i *Instance) Discard() error {
	if i.vm != nil {
		i.vm.Kill()
	}
	return os.RemoveAll(i.directory)
}
