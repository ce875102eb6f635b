package acme

import (
	"crypto/x509"
	"time"
)

// renewBefore is certbot's own rule for certificates of 90 days.
const renewBefore = 30 * 24 * time.Hour

// RenewalDue reports whether a certificate is close enough to its expiry to run certbot. Some
// private servers sign for a day only, so the limit is at most a third of its lifetime.
func RenewalDue(leaf *x509.Certificate, now time.Time) bool {
	third := leaf.NotAfter.Sub(leaf.NotBefore) / 3
	return leaf.NotAfter.Sub(now) < min(renewBefore, third)
}
