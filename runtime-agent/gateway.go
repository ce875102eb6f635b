package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/secret"
)

// maxGatewayConfig bounds what is read of the gateway's configuration, in bytes.
const maxGatewayConfig = 1 << 20

// gateway answers clients until ctx is over. SIGHUP has it read its configuration again, without
// an effect on answers that run; SIGUSR1 says that the engine has started.
func (a app) gateway(ctx context.Context) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)
	config, err := a.gatewayConfig()
	if err != nil {
		return err
	}
	key, err := a.engineKey()
	if err != nil {
		return err
	}
	listener, err := a.gatewayListener(ctx)
	if err != nil {
		return err
	}
	// The journal has its own time.
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	g := gateway.New(config, key, log)
	go func() {
		for {
			select {
			case received := <-signals:
				if received == syscall.SIGUSR1 {
					g.EngineStarted()
					continue
				}
				next, err := a.gatewayConfig()
				if err != nil {
					log.Error("the configuration stays as it was", "cause", err)
					continue
				}
				g.Configure(next, key)
			case <-ctx.Done():
				return
			}
		}
	}()
	return g.Serve(ctx, listener)
}

func withoutTime(groups []string, attribute slog.Attr) slog.Attr {
	if len(groups) == 0 && attribute.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return attribute
}

func (a app) gatewayConfig() (*gateway.Config, error) {
	path := a.path(appliance.GatewayConfigFile)
	text, err := guardedfile.Read(path, maxGatewayConfig)
	if err != nil {
		return nil, fmt.Errorf("read the gateway's configuration, which slm-copilot configure writes: %w", err)
	}
	config, err := gateway.ParseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; slm-copilot configure writes it again", path, err)
	}
	return config, nil
}

// engineKey returns LocalAI's key: systemd hands it to the service, which may not read the file.
func (a app) engineKey() (string, error) {
	if directory := os.Getenv("CREDENTIALS_DIRECTORY"); directory != "" {
		return secret.Read(filepath.Join(directory, filepath.Base(appliance.EngineKeyFile)))
	}
	return secret.Read(a.path(appliance.EngineKeyFile))
}

// firstSocket is the descriptor of the first socket that systemd hands over
// (sd_listen_fds(3), SD_LISTEN_FDS_START).
const firstSocket = 3

// gatewayListener returns the socket of systemd, which keeps it while the gateway restarts: who
// connects meanwhile waits. Without systemd it makes one.
func (a app) gatewayListener(ctx context.Context) (net.Listener, error) {
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) {
		if os.Getenv("LISTEN_FDS") != "1" {
			return nil, errors.New("systemd should hand over one socket: see " + appliance.GatewaySocketUnit)
		}
		file := os.NewFile(firstSocket, "the gateway's socket")
		defer file.Close()
		return net.FileListener(file)
	}
	path := a.path(appliance.GatewaySocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return (&net.ListenConfig{}).Listen(ctx, "unix", path)
}
