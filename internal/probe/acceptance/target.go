package acceptance

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// maxBody limits how many bytes of one response are read.
const maxBody = 1 << 20

// connectTimeout is for a connection and its TLS handshake. It is generous because an emulated
// guest computes its RSA signature slowly.
const connectTimeout = 30 * time.Second

// Target is a running appliance.
type Target struct {
	// HTTPS and HTTP are the addresses (host:port) of its two ports.
	HTTPS string
	HTTP  string
	// Names are the host names and addresses its certificate must contain.
	Names    []string
	Password string
	Model    string
	// Root is the CA certificate its clients trust; nil if they have no extra one.
	Root *x509.Certificate
	// Roots, if not nil, is trusted instead of Root.
	Roots *x509.CertPool
	// ServerName is the name the certificate must be valid for; empty means the host of HTTPS.
	ServerName string
	// Say is called with each wait that a rate limit asks for; nil says nothing.
	Say func(string)
}

// BaseURL returns the base URL of its API.
func (t *Target) BaseURL() string {
	return "https://" + t.HTTPS
}

// Client returns an HTTP client that trusts only what the target specifies, connects only to
// the HTTPS port and follows no redirect.
func (t *Target) Client() *http.Client {
	return t.client(t.tlsConfig())
}

func (t *Target) client(config *tls.Config) *http.Client {
	return &http.Client{
		Transport: patient{say: t.Say, transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSClientConfig:     config,
			TLSHandshakeTimeout: connectTimeout,
			// With Expect: 100-continue a body is sent once it is asked for.
			ExpectContinueTimeout: connectTimeout,
			// Each check stands alone: none reuses the connection of another.
			DisableKeepAlives: true,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (t *Target) tlsConfig() *tls.Config {
	roots := t.Roots
	if roots == nil {
		roots = x509.NewCertPool()
		roots.AddCert(t.Root)
	}
	return &tls.Config{RootCAs: roots, ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
}

// FetchRoot downloads the root certificate from the HTTP port, where users get it too.
func FetchRoot(ctx context.Context, address string) (*x509.Certificate, error) {
	url := "http://" + address + appliance.PathCA
	client := (&Target{}).client(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := send(client, request)
	if err != nil {
		return nil, err
	}
	if answer.status != http.StatusOK {
		return nil, fmt.Errorf("GET %s: expected status 200, got %d", url, answer.status)
	}
	root, err := parseRoot(answer.body)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", url, err)
	}
	return root, nil
}

// parseRoot requires exactly one CA certificate, and nothing secret.
func parseRoot(text []byte) (*x509.Certificate, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("expected one certificate in PEM form and nothing else")
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	if !root.IsCA {
		return nil, errors.New("the certificate is not one of an authority")
	}
	return root, nil
}

// answer is a response whose body was read completely.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func send(client *http.Client, request *http.Request) (answer, error) {
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: reading the answer: %w", request.Method, request.URL, err)
	}
	return answer{response.StatusCode, response.Header, body}, nil
}

// contentType returns the media type without its parameters, "" if there is none.
func (a answer) contentType() string {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return kind
}

// expect returns an error unless the response has the status; the error quotes the body, which
// usually contains the reason.
func (a answer) expect(status int) error {
	if a.status == status {
		return nil
	}
	return fmt.Errorf("expected status %d, got %d: %q", status, a.status, quoted(a.body))
}

// quoted returns as much of a body as an error should contain.
func quoted(body []byte) []byte {
	const enough = 200
	return body[:min(len(body), enough)]
}
