// Package clients writes what makes a program talk to an appliance: settings and lines for
// a shell, to be copied as they are. Whoever tells a user of an appliance how to reach it,
// inside the machine or from outside, uses this.
package clients

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
)

// Appliance is what clients have to know of one.
type Appliance struct {
	// BaseURL is what clients are given, "https://copilot.example.org/v1".
	BaseURL     string
	Password    string
	Model       string
	ContextSize int
	// Root is nil where the world trusts the certificate.
	Root *Root
}

// Root is the certificate that clients have to be told to trust.
type Root struct {
	// URL is where it is fetched, without TLS; so its Fingerprint has to be compared.
	URL         string
	Fingerprint string
}

// Fingerprint is the SHA-256 of a certificate as browsers and openssl show it.
func Fingerprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	return strings.Join(pairs, ":")
}
