package acceptance

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func rootOffered(ctx context.Context, t *Target) (string, error) {
	root, err := FetchRoot(ctx, t.HTTP)
	if err != nil {
		return "", err
	}
	if t.Root != nil && !root.Equal(t.Root) {
		return "", fmt.Errorf("it is not the root that clients were told to trust: expected serial number %x, got %x",
			t.Root.SerialNumber, root.SerialNumber)
	}
	return root.Subject.String(), nil
}

func certificateTrusted(ctx context.Context, t *Target) (string, error) {
	state, err := handshake(ctx, t, t.tlsConfig())
	if err != nil {
		return "", err
	}
	leaf := state.PeerCertificates[0]
	var missing []error
	for _, name := range t.Names {
		missing = append(missing, leaf.VerifyHostname(name))
	}
	if err := errors.Join(missing...); err != nil {
		return "", err
	}
	return fmt.Sprintf("for %s, until %s", strings.Join(t.Names, ", "), leaf.NotAfter.UTC().Format("2006-01-02")), nil
}

func currentTLSSpoken(ctx context.Context, t *Target) (string, error) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := t.tlsConfig()
		config.MinVersion, config.MaxVersion = version, version
		if _, err := handshake(ctx, t, config); err != nil {
			return "", fmt.Errorf("%s: %w", tls.VersionName(version), err)
		}
	}
	return "", nil
}

func oldTLSRefused(ctx context.Context, t *Target) (string, error) {
	config := t.tlsConfig()
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	state, err := handshake(ctx, t, config)
	if err == nil {
		return "", fmt.Errorf("the appliance speaks %s", tls.VersionName(state.Version))
	}
	// Only a TLS alert from the server is a refusal; any other error proves nothing.
	var alert *net.OpError
	if !errors.As(err, &alert) || alert.Op != "remote error" {
		return "", fmt.Errorf("expected a TLS alert, got: %w", err)
	}
	return alert.Err.Error(), nil
}

func handshake(ctx context.Context, t *Target, config *tls.Config) (tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", t.HTTPS)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState(), nil
}

// redirects accepts the explanation in place of a redirect: behind a floating address the machine
// does not go by the name that it is reached at.
func redirects(ctx context.Context, t *Target) (string, error) {
	const path = appliance.PathModels + "?redirect=1"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.HTTP+path, nil)
	if err != nil {
		return "", err
	}
	answer, err := send(t.client(nil), request)
	if err != nil {
		return "", err
	}
	if isExplained(answer) {
		return "not for " + request.URL.Hostname() + ", with an explanation", nil
	}
	if err := answer.expect(http.StatusMovedPermanently); err != nil {
		return "", err
	}
	// The port is not compared: the appliance uses its own in the redirect, and this
	// connection came through a forwarded one.
	location, err := url.Parse(answer.header.Get("Location"))
	if err != nil || location.Scheme != "https" || location.Hostname() != request.URL.Hostname() || location.RequestURI() != path {
		return "", fmt.Errorf("expected the same path on the same host over https, got Location %q", answer.header.Get("Location"))
	}
	return "to " + location.String(), nil
}

func isExplained(a answer) bool {
	return a.status == http.StatusBadRequest && isOpenAIError(a) == nil && bytes.Contains(a.body, []byte("https_required"))
}
