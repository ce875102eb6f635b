package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// MaxSize bounds what is read as a certificate with its chain and key, in bytes: a hundred times
// what a long chain has.
const MaxSize = 1 << 20

// Pair is a certificate from the operator or an ACME server, with its chain and its key.
type Pair struct {
	// Text contains all of it in PEM, the certificate first and the key last.
	Text []byte
	// Leaf is the server's own certificate.
	Leaf *x509.Certificate
}

// Parse reads a chain and a key in PEM. The error says which of the two is invalid, or that
// they do not match.
func Parse(chain, key []byte) (Pair, error) {
	certificate, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return Pair{}, fmt.Errorf("the first certificate and the key are not a valid pair: %w", err)
	}
	// X509KeyPair checks the first one only; nginx reads them all.
	for i, der := range certificate.Certificate {
		if _, err := x509.ParseCertificate(der); err != nil {
			return Pair{}, fmt.Errorf("certificate %d of the chain: %w", i+1, err)
		}
	}
	text := bytes.TrimRight(chain, "\n")
	text = append(append(bytes.Clone(text), '\n'), key...)
	return Pair{Text: text, Leaf: certificate.Leaf}, nil
}

// ParseText reads a Text again.
func ParseText(text []byte) (Pair, error) {
	parsed, err := Parse(text, text)
	parsed.Text = text
	return parsed, err
}

// Refusal says why clients would not accept the pair at that time; nil means that they
// would, if they trust its CA. An empty domain is not compared, and neither are the dates if
// the time is zero.
func (p Pair) Refusal(domain string, at time.Time) error {
	var reasons []error
	if domain != "" {
		if err := p.Leaf.VerifyHostname(domain); err != nil {
			reasons = append(reasons, fmt.Errorf("it is not for %s: %w", domain, err))
		}
	}
	switch {
	case at.IsZero():
	case at.Before(p.Leaf.NotBefore):
		reasons = append(reasons, fmt.Errorf("it is not valid before %s", p.Leaf.NotBefore.UTC().Format(time.RFC3339)))
	case at.After(p.Leaf.NotAfter):
		reasons = append(reasons, fmt.Errorf("it expired on %s", p.Leaf.NotAfter.UTC().Format(time.RFC3339)))
	}
	return errors.Join(reasons...)
}
