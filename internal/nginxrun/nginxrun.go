// Package nginxrun runs the real nginx with a site, separately from the machine's own nginx:
// in the foreground, with all its own files in one directory, as the current user.
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

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 10 * time.Second
)

// Server is a running nginx.
type Server struct {
	// Dir is where nginx keeps its own files: client_body, for instance, receives request
	// bodies that do not fit in its buffers.
	Dir string
	// Config is the path of the main configuration, so that nginx -t can check it.
	Config string

	command *exec.Cmd
	ended   chan struct{}
}

// Start runs nginx with a site until ctx ends, and returns when it listens. nginx writes its
// files to dir, and its errors to stderr. Only root can choose the user of the workers;
// otherwise they run as the current user.
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
	// With the prefix, a relative path in a site does not refer to the machine's own nginx.
	s.command = exec.CommandContext(ctx, nginx, "-p", s.Dir, "-e", "stderr", "-c", s.Config)
	s.command.Stderr = stderr
	// nginx ends with this process, even if that is killed; signals from a terminal do not
	// reach nginx.
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

// Ended returns a channel that is closed when nginx has ended.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// Reload makes nginx read its configuration and certificates again. It does not wait for that:
// old workers may answer for a while. It fails if nginx has ended.
func (s *Server) Reload() error {
	if err := s.command.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload nginx: %w", err)
	}
	return nil
}

// await waits until nginx listens and handles signals: it writes its pid file only then.
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

// openFiles returns how many files a worker may have open: as many as in an appliance, or as this
// process may allow.
func openFiles() uint64 {
	limit := syscall.Rlimit{Max: appliance.NginxOpenFiles}
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) // nginx says if it is too much
	return min(limit.Max, appliance.NginxOpenFiles)
}

// mainConfig returns the minimal configuration around a site, with every path in the
// directory, and the limits of an appliance.
func (s *Server) mainConfig(user string) []byte {
	config := fmt.Sprintf("daemon off;\npid %s;\nerror_log stderr;\nworker_rlimit_nofile %d;\nevents { worker_connections %d; }\n",
		s.path("pid"), openFiles(), appliance.NginxConnections)
	if os.Geteuid() == 0 {
		config += fmt.Sprintf("user %s;\n", user)
	}
	config += "http {\naccess_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		config += fmt.Sprintf("%s_temp_path %s;\n", kind, s.path(kind))
	}
	return fmt.Appendf(nil, "%sinclude %s;\n}\n", config, s.path("site.conf"))
}
