package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
)

const (
	// maxPasswordFile bounds what is read as a password, in bytes.
	maxPasswordFile = 4096
	// modelsTimeout is for the list of models, which needs no inference but may be limited to one
	// request a minute.
	modelsTimeout = 2 * time.Minute
	// reachTimeout is for a connection: a firewall may drop what is sent to the HTTP port.
	reachTimeout = 5 * time.Second
)

// check runs the acceptance checks on the appliance at a URL, or on this one. It changes
// nothing there.
func (a app) check(ctx context.Context, address, caFile, passwordFile string) error {
	var target *acceptance.Target
	var err error
	if address == "" {
		target, err = thisAppliance(a.state(), a.baseURL, a.httpPort)
	} else {
		target, err = applianceAt(address, a.httpPort)
	}
	if a.httpPort < 1 || a.httpPort > 65535 {
		err = errors.Join(fmt.Errorf("%w: --http-port: must be from 1 to 65535, got %d", errUsage, a.httpPort), err)
	}
	if err != nil {
		return err
	}
	if target.Roots, err = trusted(a.root, caFile); err != nil {
		return err
	}
	if target.Password, err = passwordFrom(a.root, a.stdin, passwordFile); err != nil {
		return err
	}
	target.Say = func(line string) { fmt.Fprintln(a.stdout, "      "+line) }
	checks := acceptance.Checks()
	if reason := unreachable(ctx, target.HTTP); reason != nil {
		fmt.Fprintf(a.stdout, "skip  the checks of the HTTP port: %v\n", reason)
		checks = acceptance.OverHTTPS(checks)
	}
	if target.Model == "" {
		if target.Model, err = firstModel(ctx, target); err != nil {
			return err
		}
	}
	return runChecks(ctx, a.stdout, target, checks)
}

// unreachable returns why nothing can be asked at the address: the HTTP port need not be open to
// whoever uses the appliance.
func unreachable(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{Timeout: reachTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func runChecks(ctx context.Context, out io.Writer, target *acceptance.Target, checks []acceptance.Check) error {
	failed := 0
	results, err := acceptance.Run(ctx, target, checks, func(result acceptance.Result) {
		if !result.Passed {
			failed++
		}
		fmt.Fprintln(out, result)
	})
	switch {
	case err != nil:
		return fmt.Errorf("the checks were interrupted: %w", err)
	case failed > 0:
		return fmt.Errorf("%d of %d checks of %s failed", failed, len(results), target.BaseURL())
	}
	fmt.Fprintf(out, "all %d checks of %s passed\n", len(results), target.BaseURL())
	return nil
}

// applianceAt is the appliance at an address as written in its report.
func applianceAt(address string, httpPort int) (*acceptance.Target, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || !slices.Contains([]string{"", "/v1"}, strings.TrimRight(u.Path, "/")) {
		return nil, fmt.Errorf("%w: check takes a URL such as https://copilot.example.org/v1, not %q", errUsage, address)
	}
	return newTarget(u, httpPort), nil
}

// thisAppliance is reached by the loopback address, and checked under the name clients use.
func thisAppliance(s state, baseURL string, httpPort int) (*acceptance.Target, error) {
	present, err := s.Load()
	if err != nil {
		return nil, err
	}
	if present.Host == "" {
		return nil, errors.New("this machine was never configured as an appliance: name the URL of one")
	}
	u, err := url.Parse(baseURL)
	if err != nil {
		return nil, err
	}
	target := newTarget(u, httpPort)
	target.Names, target.ServerName, target.Model = []string{present.Host}, present.Host, present.Model
	return target, nil
}

func newTarget(u *url.URL, httpPort int) *acceptance.Target {
	port := u.Port()
	if port == "" {
		port = strconv.Itoa(appliance.HTTPSPort)
	}
	return &acceptance.Target{
		HTTPS: net.JoinHostPort(u.Hostname(), port),
		HTTP:  net.JoinHostPort(u.Hostname(), strconv.Itoa(httpPort)),
		Names: []string{u.Hostname()},
	}
}

// trusted returns the certificates in a file, or those this system trusts and the root of
// this appliance. A root that is merely offered over HTTP is not trusted: the password is
// about to be sent.
func trusted(root, caFile string) (*x509.CertPool, error) {
	if caFile != "" {
		text, err := guardedfile.Read(caFile, certs.MaxSize)
		if err != nil {
			return nil, fmt.Errorf("read the certificates to trust: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s contains no PEM certificate", caFile)
		}
		return roots, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if own, err := guardedfile.Read(filepath.Join(root, appliance.CACert), certs.MaxSize); err == nil {
		roots.AppendCertsFromPEM(own)
	}
	return roots, nil
}

func passwordFrom(root string, stdin io.Reader, file string) (string, error) {
	var text []byte
	var err error
	switch file {
	case "":
		text, err = guardedfile.Read(filepath.Join(root, appliance.PasswordFile), maxPasswordFile)
		if err != nil {
			err = fmt.Errorf("%w; run this as root on the appliance, or pass a file with --password-file", err)
		}
	case "-":
		text, err = io.ReadAll(io.LimitReader(stdin, maxPasswordFile))
	default:
		text, err = guardedfile.Read(file, maxPasswordFile)
	}
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", errors.New("read the password: it is empty")
	}
	return password, nil
}

// firstModel asks for the name of the model. What would fail every check is reported here,
// once.
func firstModel(ctx context.Context, target *acceptance.Target) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, modelsTimeout)
	defer cancel()
	models, err := target.Models(ctx)
	if err == nil && len(models) == 0 {
		err = errors.New("it lists none")
	}
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		err = fmt.Errorf("%w; pass its root certificate with --ca", err)
	}
	if err != nil {
		return "", fmt.Errorf("ask %s for its model: %w", target.BaseURL(), err)
	}
	return models[0], nil
}
