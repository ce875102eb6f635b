// Package clients generates what connects a client program to an appliance: settings and shell
// commands, to be copied unchanged. It is used wherever users are shown how to reach an
// appliance, inside the VM and outside.
package clients

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
)

// Appliance is what clients need to know about an appliance.
type Appliance struct {
	// BaseURL is the base URL for clients, "https://copilot.example.org/v1".
	BaseURL     string
	Password    string
	Model       string
	ContextSize int
	// Autocomplete is the prompt with which the model fills in the middle, with {{{prefix}}} and {{{suffix}}} in their
	// places; empty if it does not.
	Autocomplete string
	// Root is nil if the certificate is publicly trusted.
	Root *Root
}

// Root is the CA certificate that clients must be configured to trust.
type Root struct {
	// URL is where it is downloaded, without TLS; so users must compare Fingerprint.
	URL         string
	Fingerprint string
}

// Fingerprint returns the SHA-256 of a certificate in the format of browsers and openssl.
func Fingerprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	return strings.Join(pairs, ":")
}
