package acme

import (
	"crypto/x509"
	"time"
)

// renewBefore is certbot's own rule for certificates of 90 days.
const renewBefore = 30 * 24 * time.Hour

// RenewalDue says whether a certificate is so near its end that certbot should be asked.
// Some private servers sign for a day only, so it is never more than a third of its life.
func RenewalDue(leaf *x509.Certificate, now time.Time) bool {
	third := leaf.NotAfter.Sub(leaf.NotBefore) / 3
	return leaf.NotAfter.Sub(now) < min(renewBefore, third)
}
