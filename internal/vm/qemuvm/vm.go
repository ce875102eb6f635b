package qemuvm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// launchTimeout limits the time until QEMU's monitor answers, which does not depend on the
	// guest.
	launchTimeout = time.Minute
	// pressInterval is the time between two presses of the power button: a guest that was not
	// yet able to handle the first one gets another.
	pressInterval = 5 * time.Second
)

// VM is a running guest.
type VM struct {
	monitor  *monitor
	forwards map[int]int
	kill     context.CancelFunc
	stderr   *tail
	// exited is closed when QEMU has exited and has been waited for; end is set by then.
	exited chan struct{}
	end    error
}

// Start launches a guest and returns as soon as QEMU runs it; the guest has barely begun
// to boot then. QEMU is killed when ctx ends.
func Start(ctx context.Context, config Config) (*VM, error) {
	if config.Arch == "" {
		config.Arch = "amd64"
	}
	program := Program(config.Arch)
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("make the socket of QEMU's monitor: %w", err)
	}
	ctx, kill := context.WithCancel(ctx)
	vm := &VM{kill: kill, stderr: &tail{limit: 4096}, exited: make(chan struct{})}
	cmd := exec.CommandContext(ctx, program, config.arguments()...)
	cmd.Stderr = vm.stderr
	cmd.ExtraFiles = []*os.File{theirs}
	err = vm.launch(cmd)
	theirs.Close()
	if err != nil {
		kill()
		ours.Close()
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	vm.monitor = newMonitor(ours)
	if err := vm.connect(ctx); err != nil {
		vm.Kill()
		return nil, fmt.Errorf("start a guest from %s: %w", config.Disk, err)
	}
	return vm, nil
}

// launch starts QEMU and waits for it on a dedicated thread. The kernel sends the parent-death
// signal when the thread that started the child ends, so that thread must live as long as the
// child.
func (vm *VM) launch(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		// Ctrl-C in a terminal goes to the whole process group. It must not end QEMU: its
		// owner powers the guest down.
		Setpgid: true,
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			vm.end = cmd.Wait()
			close(vm.exited)
		}
	}()
	return <-started
}

// connect negotiates with the monitor and reads the forwarded ports. If QEMU has exited
// instead, its own message is the error.
func (vm *VM) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, launchTimeout)
	defer cancel()
	err := vm.monitor.negotiate(ctx)
	if err == nil {
		vm.forwards, err = forwardTable(ctx, vm.monitor)
	}
	if errors.Is(err, errMonitorClosed) {
		return vm.Reason()
	}
	return err
}

// Address returns where a forwarded guest port is reached on this host.
func (vm *VM) Address(guestPort int) string {
	return fmt.Sprintf("127.0.0.1:%d", vm.forwards[guestPort])
}

// Exited returns a channel that is closed when QEMU has exited.
func (vm *VM) Exited() <-chan struct{} {
	return vm.exited
}

// Reason waits until QEMU has exited and returns why.
func (vm *VM) Reason() error {
	<-vm.exited
	<-vm.monitor.closed
	words := strings.TrimSpace(vm.stderr.String())
	switch {
	case words != "" && vm.end != nil:
		return fmt.Errorf("QEMU ended (%w): %s", vm.end, words)
	case vm.end != nil:
		return fmt.Errorf("QEMU ended: %w", vm.end)
	case vm.monitor.shutdownReason() == "guest-shutdown":
		return errors.New("the guest powered itself off")
	default:
		return fmt.Errorf("QEMU ended by itself, reason %q", vm.monitor.shutdownReason())
	}
}

// PowerDown presses the power button and waits until the guest has shut itself down. If ctx
// ends first, an error is returned and the guest keeps running.
func (vm *VM) PowerDown(ctx context.Context) error {
	press := time.NewTicker(pressInterval)
	defer press.Stop()
	for {
		if _, err := vm.monitor.execute(ctx, "system_powerdown", nil); err != nil && !errors.Is(err, errMonitorClosed) {
			return fmt.Errorf("power the guest down: %w", err)
		}
		select {
		case <-vm.exited:
			return vm.powerDownResult()
		case <-press.C:
		case <-ctx.Done():
			return fmt.Errorf("the guest did not shut down after its power button was pressed: %w", context.Cause(ctx))
		}
	}
}

func (vm *VM) powerDownResult() error {
	<-vm.monitor.closed
	if reason := vm.monitor.shutdownReason(); vm.end != nil || reason != "guest-shutdown" {
		return fmt.Errorf("the guest did not shut down cleanly: %w", vm.Reason())
	}
	return nil
}

// Kill ends QEMU at once, like pulling the plug, and waits until it has exited.
func (vm *VM) Kill() {
	vm.kill()
	<-vm.exited
}

// socketPair returns two connected sockets: there is no path to clean up, and no other process
// can connect to the monitor.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs = os.NewFile(uintptr(fds[1]), "QEMU's end of its monitor")
	file := os.NewFile(uintptr(fds[0]), "our end of QEMU's monitor")
	defer file.Close()
	ours, err = net.FileConn(file)
	if err != nil {
		theirs.Close()
	}
	return ours, theirs, err
}
