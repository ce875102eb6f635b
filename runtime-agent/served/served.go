// Package served finds out which certificate clients really get.
package served

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"syscall"
	"time"
)

const (
	handshakeTimeout = 10 * time.Second
	pause            = 100 * time.Millisecond
)

// ErrNobody means that nothing listens there.
var ErrNobody = errors.New("nobody listens")

// Leaf makes a TLS handshake with host:port and returns the certificate the server shows to
// clients that ask for name. Whom it is from does not matter here.
func Leaf(ctx context.Context, address, name string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	// What is served is the question, not whether to trust it.
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w at %s", ErrNobody, address)
	}
	if err != nil {
		return nil, fmt.Errorf("TLS handshake with %s: %w", address, err)
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// Await asks until the server shows the wanted certificate, because nginx takes a moment to
// reload, or until patience is over. It returns the certificate that was shown last.
func Await(ctx context.Context, address, name string, wanted *x509.Certificate, patience time.Duration) (*x509.Certificate, error) {
	deadline := time.Now().Add(patience)
	for {
		leaf, err := Leaf(ctx, address, name)
		if err != nil || leaf.Equal(wanted) || time.Now().After(deadline) {
			return leaf, err
		}
		select {
		case <-ctx.Done():
			return leaf, nil
		case <-time.After(pause):
		}
	}
}
