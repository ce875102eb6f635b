// Package nginxrun runs the real nginx over a site, apart from that of the machine: in the
// foreground, with every file of its own in one directory, as the user who starts it.
package nginxrun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 10 * time.Second
)

// Server is an nginx that runs.
type Server struct {
	// Dir is where nginx keeps its own files: in client_body, for instance, the bodies of
	// requests that it does not hold in memory.
	Dir string
	// Config is the path of the main configuration, so that nginx can be had to check it.
	Config string

	command *exec.Cmd
	ended   chan struct{}
}

// Start runs nginx with the text of a site until ctx ends, and returns when it listens. It
// writes into dir, and its complaints to stderr. Only root can choose the user of its
// workers: elsewhere they are those who started it.
func Start(ctx context.Context, dir, user string, site []byte, stderr *os.File) (*Server, error) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		return nil, errors.New("nginx is missing: run make setup, or install the Debian package nginx")
	}
	s := &Server{Dir: dir, ended: make(chan struct{})}
	s.Config = s.path("nginx.conf")
	err = errors.Join(os.WriteFile(s.path("site.conf"), site, 0o600), os.WriteFile(s.Config, s.mainConfig(user), 0o600))
	if err != nil {
		return nil, fmt.Errorf("write the configuration of nginx: %w", err)
	}
	// The prefix keeps a relative path in a site from meaning the machine's own nginx.
	s.command = exec.CommandContext(ctx, nginx, "-p", s.Dir, "-e", "stderr", "-c", s.Config)
	s.command.Stderr = stderr
	// It dies with us, even if we are killed; what a terminal sends to us is not for it.
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	s.command.Cancel = func() error { return s.command.Process.Signal(syscall.SIGTERM) }
	s.command.WaitDelay = stopTimeout
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	go func() {
		_ = s.command.Wait()
		close(s.ended)
	}()
	return s, s.await(ctx)
}

// Ended is closed when nginx does not run any more.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// Reload has nginx read its configuration and its certificates again, and does not wait for
// that: workers of before may answer for a while. It fails if nginx does not run any more.
func (s *Server) Reload() error {
	if err := s.command.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload nginx: %w", err)
	}
	return nil
}

// await waits until nginx listens and understands signals: only then it notes its process id.
func (s *Server) await(ctx context.Context) error {
	deadline := time.After(startTimeout)
	for {
		if id, _ := os.ReadFile(s.path("pid")); len(id) > 0 {
			return nil
		}
		select {
		case <-s.ended:
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return errors.New("nginx ended instead of listening: it says why above")
		case <-deadline:
			return fmt.Errorf("nginx does not listen after %s", startTimeout)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *Server) path(name string) string { return filepath.Join(s.Dir, name) }

// mainConfig is the least nginx needs around a site, with every path in the directory.
func (s *Server) mainConfig(user string) []byte {
	config := fmt.Sprintf("daemon off;\npid %s;\nerror_log stderr;\nevents {}\n", s.path("pid"))
	if os.Geteuid() == 0 {
		config += fmt.Sprintf("user %s;\n", user)
	}
	config += "http {\naccess_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		config += fmt.Sprintf("%s_temp_path %s;\n", kind, s.path(kind))
	}
	return fmt.Appendf(nil, "%sinclude %s;\n}\n", config, s.path("site.conf"))
}
