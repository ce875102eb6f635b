// Package acme gets a certificate from an ACME server with certbot, and remembers when it may
// try again.
package acme

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
)

const (
	// obtainTimeout is for all of one attempt: an ACME server validates the challenge from
	// several places and may queue its orders.
	obtainTimeout = 3 * time.Minute
	// tidyTimeout lets certbot remove its challenge after SIGTERM.
	tidyTimeout = 10 * time.Second
)

// Certbot is certbot's configuration. All paths are absolute.
type Certbot struct {
	// ConfigDir contains accounts, keys and certificates, LogsDir certbot's own log.
	ConfigDir, WorkDir, LogsDir string
	// WebRoot is the directory below which the web server finds a challenge.
	WebRoot string
	// CABundle is a file of CA certificates to trust for the ACME server, if the order has
	// a CADigest.
	CABundle string
	// Hook is the command certbot runs after it got a certificate, including renewals by
	// its own timer.
	Hook string
}

// Order says for which domain a certificate is ordered, and from which ACME server.
type Order struct {
	Domain string `json:"domain"`
	// Directory is the URL of the ACME server.
	Directory string `json:"directory"`
	// Email may be empty.
	Email string `json:"email,omitempty"`
	// CADigest changes with the content of CABundle; empty means that the certificates of
	// the system are used instead.
	CADigest string `json:"ca_digest,omitempty"`
}

// Obtain has certbot get a certificate for the order, or renew the one it has. The error is
// short and for people; certbot's own log has the rest.
func (c Certbot) Obtain(ctx context.Context, order Order) error {
	program, err := exec.LookPath("certbot")
	if err != nil {
		return errors.New("certbot is missing: install the Debian package certbot, or deploy an image that contains it")
	}
	// Until certbot has read --logs-dir, it logs to a temporary directory.
	temporary, err := os.MkdirTemp("", appliance.Name+"-certbot-")
	if err != nil {
		return fmt.Errorf("make a temporary directory for certbot: %w", err)
	}
	defer os.RemoveAll(temporary)
	ctx, cancel := context.WithTimeout(ctx, obtainTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, program, c.arguments(order)...)
	command.Env = append(c.environment(order), "TMPDIR="+temporary)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = tidyTimeout
	out, err := command.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("certbot did not finish in time: %w", ctx.Err())
	}
	if said := summary(out); said != "" {
		return errors.New(said)
	}
	return fmt.Errorf("certbot failed and did not say why: %w", err)
}

func (c Certbot) arguments(order Order) []string {
	args := []string{
		"certonly", "--non-interactive", "--agree-tos",
		"--webroot", "--webroot-path", c.WebRoot,
		"--domain", order.Domain, "--cert-name", order.Domain,
		"--server", order.Directory,
		// Some older clients support only RSA.
		"--key-type", "rsa", "--rsa-key-size", "2048",
		"--deploy-hook", c.Hook,
		"--config-dir", c.ConfigDir, "--work-dir", c.WorkDir, "--logs-dir", c.LogsDir,
	}
	// A certificate from another server is replaced at once, one from this server when it
	// is due.
	if present := c.directory(order.Domain); present != "" && present != order.Directory {
		args = append(args, "--force-renewal")
	} else {
		args = append(args, "--keep-until-expiring")
	}
	if order.Email == "" {
		return append(args, "--register-unsafely-without-email")
	}
	return append(args, "--email", order.Email, "--no-eff-email")
}

// environment is not the agent's, which may contain context values.
func (c Certbot) environment(order Order) []string {
	env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=" + c.WorkDir}
	if order.CADigest != "" {
		env = append(env, "REQUESTS_CA_BUNDLE="+c.CABundle)
	}
	return env
}

// Present returns the certificate certbot has for the domain, and whether it is from the
// server of the order.
func (c Certbot) Present(order Order) (present certs.Pair, ordered bool, err error) {
	dir := filepath.Join(c.ConfigDir, "live", order.Domain)
	chain, err := guardedfile.Read(filepath.Join(dir, "fullchain.pem"), certs.MaxSize)
	if err != nil {
		return certs.Pair{}, false, err
	}
	key, err := guardedfile.Read(filepath.Join(dir, "privkey.pem"), certs.MaxSize)
	if err != nil {
		return certs.Pair{}, false, err
	}
	if present, err = certs.Parse(chain, key); err != nil {
		return certs.Pair{}, false, fmt.Errorf("%s: %w", dir, err)
	}
	return present, c.directory(order.Domain) == order.Directory, nil
}

// directory is the ACME server of the present certificate, from certbot's renewal
// configuration; empty if there is none.
func (c Certbot) directory(domain string) string {
	text, err := guardedfile.Read(filepath.Join(c.ConfigDir, "renewal", domain+".conf"), certs.MaxSize)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		name, value, found := strings.Cut(line, "=")
		if found && strings.TrimSpace(name) == "server" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
