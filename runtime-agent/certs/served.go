package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

const (
	handshakeTimeout = 10 * time.Second
	handshakePause   = 100 * time.Millisecond
)

// ErrNothingListens means that no server accepts connections at the address.
var ErrNothingListens = errors.New("nothing listens")

// ServedLeaf makes a TLS handshake with host:port and returns the certificate the server sends
// to clients that ask for name, whoever issued it.
func ServedLeaf(ctx context.Context, address, name string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true} //nolint:gosec // the question is what is served, not whether to trust it
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w at %s", ErrNothingListens, address)
	}
	if err != nil {
		return nil, fmt.Errorf("TLS handshake with %s: %w", address, err)
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// AwaitServed asks until the server sends the wanted certificate, because nginx takes a moment
// to reload, or until patience is over. It returns the certificate that was sent last.
func AwaitServed(ctx context.Context, address, name string, wanted *x509.Certificate, patience time.Duration) (*x509.Certificate, error) {
	deadline := time.Now().Add(patience)
	for {
		leaf, err := ServedLeaf(ctx, address, name)
		if err != nil || leaf.Equal(wanted) || time.Now().After(deadline) {
			return leaf, err
		}
		if retry.Sleep(ctx, handshakePause) != nil {
			return leaf, nil
		}
	}
}
