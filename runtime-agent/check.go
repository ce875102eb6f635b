package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
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
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
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

// checkOptions are the command line of check.
type checkOptions struct {
	// address is the URL of the appliance, empty for this one.
	address                   string
	caFile, pin, passwordFile string
	// only and skip are keys, separated by commas.
	only, skip string
	// junit, json and html are files to write; empty writes none.
	junit, json, html string
}

func checkFlags(flags *flag.FlagSet) *checkOptions {
	var o checkOptions
	for name, value := range map[string]*string{
		"ca": &o.caFile, "pin": &o.pin, "password-file": &o.passwordFile, "only": &o.only, "skip": &o.skip,
		"junit": &o.junit, "json": &o.json, "html": &o.html,
	} {
		flags.StringVar(value, name, "", "")
	}
	return &o
}

// unaskedError is why nothing is known about an appliance, as opposed to a check that it failed.
type unaskedError struct{ error }

func (e unaskedError) Unwrap() error { return e.error }

// check runs the acceptance checks on the appliance at a URL, or on this one. It changes
// nothing there. The reports are written whatever came of it, so that none is left from an earlier run.
func (a app) check(ctx context.Context, o checkOptions) error {
	checks, pin, err := a.checkUsage(o)
	if err != nil {
		return err
	}
	survey := acceptance.Survey{Suite: acceptance.Suite, Started: a.now()}
	err = a.survey(ctx, o, pin, checks, &survey)
	if err != nil {
		survey.Error = err.Error()
	}
	err = errors.Join(err, writeSurvey(survey, o))
	failed := survey.Failed()
	if failed > 0 {
		return errors.Join(fmt.Errorf("%d of %d checks of %s failed", failed, len(survey.Results), survey.URL), err)
	}
	if err != nil {
		return unaskedError{err}
	}
	a.stdout.verdict(green, fmt.Sprintf("all %d checks of %s passed", len(survey.Results), survey.URL))
	return nil
}

// checkUsage returns the chosen checks and the pinned fingerprint, nil if there is none, or all mistakes.
func (a app) checkUsage(o checkOptions) (checks []acceptance.Check, pin *[sha256.Size]byte, err error) {
	var mistakes []error
	if a.httpPort < 1 || a.httpPort > 65535 {
		mistakes = append(mistakes, fmt.Errorf("%w: --http-port: must be from 1 to 65535, got %d", errUsage, a.httpPort))
	}
	if o.address != "" {
		_, err := applianceAt(o.address, a.httpPort)
		mistakes = append(mistakes, err)
	}
	checks, err = acceptance.Select(acceptance.Checks(), keys(o.only), keys(o.skip))
	if err != nil {
		mistakes = append(mistakes, fmt.Errorf("%w: %w", errUsage, err))
	}
	if o.pin != "" {
		pin = new([sha256.Size]byte)
		sum, err := hex.DecodeString(strings.ReplaceAll(o.pin, ":", ""))
		if err != nil || copy(pin[:], sum) != len(pin) || len(sum) != len(pin) {
			mistakes = append(mistakes, fmt.Errorf("%w: --pin takes a SHA-256 fingerprint, 64 hexadecimal digits with or without colons, not %q", errUsage, o.pin))
		}
		if o.caFile != "" {
			mistakes = append(mistakes, fmt.Errorf("%w: --ca and --pin exclude each other: give one", errUsage))
		}
	}
	return checks, pin, errors.Join(mistakes...)
}

// keys returns the words of a list with commas.
func keys(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// survey asks the appliance and fills in what it learns. An error is why it could not ask, or not to the end.
func (a app) survey(ctx context.Context, o checkOptions, pin *[sha256.Size]byte, checks []acceptance.Check, survey *acceptance.Survey) error {
	target, err := a.targetOf(o.address)
	if err != nil {
		return err
	}
	survey.URL, survey.Model = target.BaseURL(), target.Model
	if target.Password, err = passwordFrom(a.root, a.stdin, o.passwordFile); err != nil {
		return err
	}
	if target.Roots, err = a.trusted(ctx, target, o.caFile, pin); err != nil {
		return err
	}
	target.Say = func(line string) { fmt.Fprintln(a.stdout, "      "+line) }
	greeting, err := greeted(ctx, target)
	if err != nil {
		return err
	}
	if target.Model == "" {
		target.Model = greeting.Models[0]
	}
	survey.Model, survey.Version = target.Model, greeting.Version
	if checks, err = a.reachable(ctx, target, checks); err != nil {
		return err
	}
	survey.Results, err = acceptance.Run(ctx, target, checks, func(result acceptance.Result) {
		colour := green
		if !result.Passed {
			colour = red
		}
		a.stdout.verdict(colour, result.String())
	})
	if err != nil {
		return fmt.Errorf("the checks were interrupted: %w", err)
	}
	return nil
}

func (a app) targetOf(address string) (*acceptance.Target, error) {
	if address == "" {
		return thisAppliance(a.state(), a.baseURL, a.httpPort)
	}
	return applianceAt(address, a.httpPort)
}

// reachable leaves out the checks of an HTTP port that cannot be reached.
func (a app) reachable(ctx context.Context, target *acceptance.Target, checks []acceptance.Check) ([]acceptance.Check, error) {
	rest := acceptance.OverHTTPS(checks)
	if len(rest) == len(checks) {
		return checks, nil
	}
	reason := unreachable(ctx, target.HTTP)
	switch {
	case reason == nil:
		return checks, nil
	case len(rest) == 0:
		return nil, fmt.Errorf("ask the HTTP port, which is all there is to check: %w", reason)
	}
	a.stdout.verdict(yellow, fmt.Sprintf("skip  the checks of the HTTP port: %v", reason))
	return rest, nil
}

// writeSurvey writes the files that were asked for.
func writeSurvey(survey acceptance.Survey, o checkOptions) error {
	var failed []error
	for _, report := range []struct {
		file string
		make func() ([]byte, error)
	}{{o.junit, survey.JUnit}, {o.json, survey.JSON}, {o.html, survey.HTML}} {
		if report.file == "" {
			continue
		}
		content, err := report.make()
		if err == nil {
			err = atomicfile.Write(report.file, content, 0o644, nil)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("report the results: %w", err))
		}
	}
	return errors.Join(failed...)
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

// trusted returns the pinned certificate, those in a file, or those this system trusts and the root of
// this appliance. A root that is merely offered over HTTP is not trusted: the password is
// about to be sent.
func (a app) trusted(ctx context.Context, target *acceptance.Target, caFile string, pin *[sha256.Size]byte) (*x509.CertPool, error) {
	if pin != nil {
		root, err := target.PinnedRoot(ctx, *pin)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		roots.AddCert(root)
		return roots, nil
	}
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
	if own, err := guardedfile.Read(a.path(appliance.CACert), certs.MaxSize); err == nil {
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

// greeted reports once what would fail every check.
func greeted(ctx context.Context, target *acceptance.Target) (acceptance.Greeting, error) {
	ctx, cancel := context.WithTimeout(ctx, modelsTimeout)
	defer cancel()
	return target.Greet(ctx)
}
