package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localairun"
)

const (
	// startLimit is long, so that only a hang exceeds it.
	startLimit = 5 * time.Minute
	startPoll  = 10 * time.Millisecond
)

// child is a program that was started, in a process group of its own, so that Ctrl-C reaches this one first.
type child struct {
	name    string
	command *exec.Cmd
	log     *localairun.Output
	gone    chan struct{}
}

func start(name string, environment []string, program string, arguments ...string) (*child, error) {
	c := &child{name: name, log: &localairun.Output{}, gone: make(chan struct{})}
	// What ends it is end: its caller may be done before its context.
	c.command = exec.Command(program, arguments...) //nolint:noctx // see above
	c.command.Env = environment
	c.command.Stdout, c.command.Stderr = c.log, c.log
	c.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = c.command.Wait() // however it ended, it is gone
		close(c.gone)
	}()
	return c, nil
}

// halt stops the program until resume: threads that spin while they wait would take the processors from whatever is
// measured meanwhile.
func (c *child) halt() { _ = c.command.Process.Signal(syscall.SIGSTOP) }

func (c *child) resume() { _ = c.command.Process.Signal(syscall.SIGCONT) }

func (c *child) end() {
	_ = c.command.Process.Kill()
	<-c.gone
}

// await waits until ready; the error has what the program said.
func (c *child) await(ctx context.Context, ready func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for !ready(ctx) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not serve: %w: %s", c.name, context.Cause(ctx), c.log)
		case <-c.gone:
			return errors.New(c.name + " ended: " + c.log.String())
		case <-time.After(startPoll):
		}
	}
	return nil
}

func answers(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// bare is llama.cpp's own server.
type bare struct {
	program, model string
	// flags and environment are what a variant adds.
	flags, environment []string
}

// start starts the server and returns when the model is loaded.
func (b bare) start(ctx context.Context) (*running, error) {
	address, err := localairun.UnusedAddress()
	if err != nil {
		return nil, fmt.Errorf("find a port for llama-server: %w", err)
	}
	host, port, _ := strings.Cut(address, ":")
	arguments := append([]string{"--host", host, "--port", port, "--model", b.model}, b.flags...)
	began := time.Now()
	server, err := start("llama-server", append(os.Environ(), b.environment...), b.program, arguments...)
	if err != nil {
		return nil, err
	}
	// A server that is halted closes connections that it had kept, and a request could be on its way on one.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r := &running{url: "http://" + address, client: client, end: server.end}
	if err := server.await(ctx, func(ctx context.Context) bool { return answers(ctx, r.client, r.url+"/health") }); err != nil {
		server.end()
		return nil, err
	}
	r.load = time.Since(began)
	r.halt, r.resume = server.halt, server.resume
	r.pids = func() []int { return []int{server.command.Process.Pid} }
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", server.command.Process.Pid))
	r.openMP = strings.Contains(string(maps), "libgomp")
	return r, err
}
