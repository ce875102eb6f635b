// Command local-ai is a test double of LocalAI v4.9.0 for images that are built to test the
// toolchain: it reads LocalAI's environment, keeps one (stand-in) backend process per model
// and serves HTTP through internal/localaitest. It is never part of a real appliance, and it
// runs no model.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

const (
	// tokenDelay makes streaming visible.
	tokenDelay = 20 * time.Millisecond
	// streamGrace is how long running answers continue after SIGTERM, closeGrace how long they
	// then have to send their last event.
	streamGrace = 2 * time.Second
	closeGrace  = 5 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := command(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is main without the process: it returns the exit code.
func command(ctx context.Context, arguments []string, getenv func(string) string, stdout, stderr io.Writer) int {
	for _, argument := range arguments {
		switch {
		case argument == "--version":
			fmt.Fprintf(stdout, "%s ()\n", localaitest.Version)
			return 0
		case strings.HasPrefix(argument, "-"):
			return refuse(stderr, "unknown flag "+argument)
		case argument != "run":
			return refuse(stderr, "unexpected argument "+argument)
		}
	}
	c, err := readConfig(getenv)
	if err != nil {
		return refuse(stderr, err.Error())
	}
	log := newLogger(stderr, c.logFormat)
	if err := run(ctx, c, log); err != nil {
		log.Error("Error running the application", "error", troubleshooting(err, c))
		return 1
	}
	return 0
}

func refuse(stderr io.Writer, message string) int {
	fmt.Fprintf(stderr, "local-ai: error: %s\n", message)
	return 1
}

// troubleshooting returns the error of a failed start in LocalAI's words.
func troubleshooting(err error, c config) error {
	return fmt.Errorf(`LocalAI failed to start: %w.
Troubleshooting steps:
  1. Check that your models directory exists and is accessible: %s
  2. Verify model config files are valid YAML: 'local-ai util usecase-heuristic <config>'
  3. Check available disk space and file permissions
  4. Run with --log-level=debug for more details
See https://localai.io/basics/troubleshooting/ for more help`, err, c.modelsPath)
}

// run serves until ctx ends. The port opens when the preloaded models are ready.
func run(ctx context.Context, c config, log *slog.Logger) error {
	log.Info("Starting LocalAI", "threads", c.threads, "modelsPath", c.modelsPath)
	log.Info("LocalAI version", "version", localaitest.Version+" ()")
	for _, path := range c.writablePaths {
		if err := os.MkdirAll(path, 0o750); err != nil {
			return fmt.Errorf("unable to create %q: %w", path, err)
		}
	}
	log.Info("Preloading models", "path", c.modelsPath)
	models, err := readModels(c, log)
	if err != nil {
		return err
	}
	// The backends outlive ctx, so that running answers may complete.
	engineCtx, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	backends := newEngine(engineCtx, c, log)
	defer backends.stop()
	handler := localaitest.NewHandler(localaitest.Options{
		Models: models, Keys: c.keys, AllowOrigins: c.allowOrigins,
		DisableMetrics: c.metricsDisabled, OpaqueErrors: c.opaqueErrors,
		TokenDelay: tokenDelay, Engine: backends,
	})
	// With a limit of one backend LocalAI silently skips the preload.
	if !c.oneBackend {
		if err := handler.Preload(ctx, c.loadToMemory); err != nil {
			return err
		}
	}
	return serve(ctx, c.address, handler, backends, log)
}

func serve(ctx context.Context, address string, handler http.Handler, backends *engine, log *slog.Logger) error {
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	log.Info("LocalAI is started and running", "address", listener.Addr().String())
	server := &http.Server{Handler: handler}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	log.Info("Received signal, shutting down")
	if !drain(server, streamGrace) {
		// When their backend stops, the streams end with an error event, as LocalAI's do.
		backends.stop()
		drain(server, closeGrace)
	}
	return server.Close()
}

// drain waits for running answers and reports whether all have ended.
func drain(server *http.Server, grace time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return server.Shutdown(ctx) == nil
}
