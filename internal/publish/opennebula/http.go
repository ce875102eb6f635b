package opennebula

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// answerTimeout is for one call. The front-end inspects the source of an image before it
	// answers, which takes 93 seconds for a source that hangs (OpenNebula 7.0).
	answerTimeout  = 3 * time.Minute
	connectTimeout = 30 * time.Second
)

// TLS says how a server is authenticated. The zero value trusts the system's CAs.
type TLS struct {
	// CAFile contains the CA certificates, in PEM, to trust instead of those of the system.
	CAFile string
	// ServerName is the name expected in the certificate instead of the host of the URL.
	ServerName string
	// Insecure accepts any certificate.
	Insecure bool
}

// NewHTTP returns a client with timeouts that suit a front-end. It uses the proxy settings of
// the environment.
func NewHTTP(t TLS) (*http.Client, error) {
	config := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.Insecure} //nolint:gosec // the user says so
	if t.CAFile != "" {
		content, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificates by which the front-end is trusted: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("read the certificates by which the front-end is trusted: %s holds none in PEM", t.CAFile)
		}
	}
	return &http.Client{
		Timeout: answerTimeout,
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: connectTimeout, KeepAlive: connectTimeout}).DialContext,
			TLSHandshakeTimeout: connectTimeout,
			TLSClientConfig:     config,
			IdleConnTimeout:     time.Minute,
		},
	}, nil
}
