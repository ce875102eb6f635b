package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

const (
	backendName = "llama-cpp"
	// healthMemory is how long LocalAI assumes that a backend it saw alive still is: until
	// then, a dead one fails every request; the first request afterwards restarts it.
	healthMemory = 30 * time.Second
	// startLimit is how long LocalAI waits for a backend to listen: 20 attempts, 2 s apart.
	startLimit = 40 * time.Second
	startPoll  = 20 * time.Millisecond
	// stopLimit is the time between asking a backend to exit and killing it.
	stopLimit = 5 * time.Second
)

// engine keeps one backend process per model.
type engine struct {
	// ctx stops the backends when it ends.
	ctx          context.Context
	backendsPath string
	modelsPath   string
	healthMemory time.Duration
	log          *slog.Logger

	mu       sync.Mutex
	backends map[string]*backend
}

// backend is a process that was started for a model.
type backend struct {
	command *exec.Cmd
	address string
	// gone is closed when the process has ended; died is set before.
	gone chan struct{}
	died time.Time
}

func newEngine(ctx context.Context, c config, log *slog.Logger) *engine {
	return &engine{
		ctx: ctx, backendsPath: c.backendsPath, modelsPath: c.modelsPath,
		healthMemory: healthMemory, log: log, backends: map[string]*backend{},
	}
}

func (e *engine) script() string { return filepath.Join(e.backendsPath, backendName, "run.sh") }

// Backends returns the installed backends.
func (e *engine) Backends() []string {
	if _, err := os.Stat(e.script()); err != nil {
		return []string{}
	}
	return []string{backendName}
}

// Check returns an error if the backend of a model does not run any more.
func (e *engine) Check(model localaitest.Model) error {
	e.mu.Lock()
	b := e.backends[model.Name]
	e.mu.Unlock()
	if b == nil || !b.alive() {
		return localaitest.BackendDied()
	}
	return nil
}

// stackPerByte is what the tokenizer's recursion takes of the stack for each byte of a run of one
// letter: 20 to 30 KB overflow 8 MiB, and 1 GiB is good for 1 MB but not for 10.
const stackPerByte = 350

// Tokenize kills the backend if the run overflows its stack, as the real one dies of it.
func (e *engine) Tokenize(model localaitest.Model, run int) error {
	e.mu.Lock()
	b := e.backends[model.Name]
	e.mu.Unlock()
	if b == nil {
		return nil
	}
	var stack unix.Rlimit
	if err := unix.Prlimit(b.command.Process.Pid, unix.RLIMIT_STACK, nil, &stack); err != nil {
		return localaitest.BackendDied()
	}
	if uint64(run)*stackPerByte <= stack.Cur {
		return nil
	}
	_ = b.command.Process.Kill() // it may be dead already
	<-b.gone
	return localaitest.BackendDied()
}

// Load starts the backend of a model unless it is running, and waits until it listens.
func (e *engine) Load(ctx context.Context, model localaitest.Model) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if b := e.backends[model.Name]; b != nil {
		if b.alive() {
			return nil
		}
		if time.Since(b.died) < e.healthMemory {
			return &localaitest.CallError{Message: localaitest.DialFailed(b.address)}
		}
	}
	e.log.Info("BackendLoader starting", "modelID", model.Name, "backend", backendName, "model", model.File)
	b, err := e.start(ctx, model)
	if err != nil {
		e.log.Error("Failed to load model", "modelID", model.Name, "error", err, "backend", backendName)
		return err
	}
	e.backends[model.Name] = b
	return nil
}

// Unload forgets the backend, so that the next load starts a new one, whatever was assumed
// about its health.
func (e *engine) Unload(model localaitest.Model) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if b := e.backends[model.Name]; b != nil {
		b.stop()
		delete(e.backends, model.Name)
	}
}

func (e *engine) start(ctx context.Context, model localaitest.Model) (*backend, error) {
	if len(e.Backends()) == 0 {
		return nil, localaitest.BackendMissing()
	}
	b, err := e.spawn()
	if err != nil {
		return nil, localaitest.LoadFailed(err.Error())
	}
	if err := b.waitUntilListening(ctx); err != nil {
		b.stop()
		return nil, localaitest.LoadFailed(err.Error())
	}
	if err := localaitest.CheckWeights(filepath.Join(e.modelsPath, model.File)); err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

// spawn starts run.sh as LocalAI does: in its own directory, with its output in files in the
// directory for temporary files.
func (e *engine) spawn() (*backend, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	script, err := filepath.Abs(e.script())
	if err != nil {
		return nil, err
	}
	output, err := outputFile()
	if err != nil {
		return nil, err
	}
	defer output.Close() // the process has its own handle
	command := exec.CommandContext(e.ctx, script, "--addr", address)
	command.Dir = filepath.Dir(script)
	command.Stdout, command.Stderr = output, output
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = stopLimit
	// The pipe is never written to; its end tells the backend that this process is gone.
	if _, err := command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	b := &backend{command: command, address: address, gone: make(chan struct{})}
	go b.wait(e.log)
	return b, nil
}

func outputFile() (*os.File, error) {
	dir, err := os.MkdirTemp("", "go-processmanager")
	if err != nil {
		return nil, err
	}
	return os.Create(filepath.Join(dir, "output"))
}

// freeAddress returns an address with a free port. If another process takes the port before
// the backend does, the load fails and is retried.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// wait runs in a goroutine and notices the end of the process.
func (b *backend) wait(log *slog.Logger) {
	_ = b.command.Wait() // however it ended, it is gone
	log.Warn("Backend process exited", "address", b.address, "process", "run.sh", "exitCode", b.command.ProcessState.ExitCode())
	b.died = time.Now()
	close(b.gone)
}

func (b *backend) alive() bool {
	select {
	case <-b.gone:
		return false
	default:
		return true
	}
}

func (b *backend) waitUntilListening(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	ticker := time.NewTicker(startPoll)
	defer ticker.Stop()
	var dialer net.Dialer
	for {
		connection, err := dialer.DialContext(ctx, "tcp", b.address)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-b.gone:
			return errors.New("could not load model: the backend process ended before it listened")
		case <-ctx.Done():
			return fmt.Errorf("grpc service not ready: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}

// stop stops the process and waits until it has ended.
func (b *backend) stop() {
	_ = b.command.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-b.gone:
	case <-time.After(stopLimit):
		_ = b.command.Process.Kill()
		<-b.gone
	}
}

// stop stops all backends.
func (e *engine) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, b := range e.backends {
		b.stop()
	}
}
