package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	rootValidity = 10 * 365 * 24 * time.Hour
	// leafValidity is 397 days, just under the 398 that browsers accept.
	leafValidity = 397 * 24 * time.Hour
	renewBefore  = 30 * 24 * time.Hour
	// backdate lets clients whose clock is slightly slow accept a new certificate.
	backdate = time.Hour
	leafBits = 2048
	// maxCommonName is the upper bound of X.520.
	maxCommonName = 64
)

// Material is the VM's own CA in PEM: a root certificate that users trust once, and a server
// certificate for the current names and addresses of the VM.
type Material struct {
	RootCert []byte
	RootKey  []byte
	// Leaf contains the server certificate and its key in one text, so that both are
	// replaced in one step and always match.
	Leaf []byte
	// Warnings say what happened to a root that users may trust.
	Warnings []string
}

// Request says what the server certificate must be valid for.
type Request struct {
	// Names are DNS names; the first is the subject.
	Names     []string
	Addresses []netip.Addr
	// NewBoot asks for a new server certificate even if the old one would do.
	NewBoot bool
	// Now decides what is valid. It may be wrong if ClockUnsure is true, as before the clock was
	// synchronized for the first time.
	Now         time.Time
	ClockUnsure bool
	// RootCopy is the published root certificate, which replaces a damaged one.
	RootCopy []byte
	// Expected is true if there has been a root before.
	Expected bool
}

// Renew returns old with new certificates for those that are missing, damaged or do not fit
// the request. A root is kept even when it has expired, because users trust it and the clock may
// be wrong. One that is not valid yet, by a clock that is right, was made while the clock was
// ahead, and no client accepts it.
func Renew(old Material, request Request) (Material, error) {
	material, root, err := keepRoot(old, request)
	if err != nil {
		reason := err
		if material, root, err = newRoot(request); err != nil {
			return Material{}, fmt.Errorf("make the root certificate: %w", err)
		}
		if request.Expected || len(old.RootCert)+len(old.RootKey)+len(request.RootCopy) > 0 {
			material.Warnings = []string{fmt.Sprintf("root certificate: a new one was made, because the one before cannot be used (%v): every client must be told to trust it, see slm-copilot report", reason)}
		}
	}
	if !request.NewBoot && fits(material.Leaf, root.Leaf, request) {
		return material, nil
	}
	if material.Leaf, err = newLeaf(root, request); err != nil {
		return Material{}, fmt.Errorf("make the server certificate: %w", err)
	}
	return material, nil
}

// keepRoot returns old with a root that can be used, or the reason why there is none.
func keepRoot(old Material, request Request) (Material, tls.Certificate, error) {
	kept := old
	kept.Warnings = nil
	root, err := parseRoot(old)
	if err != nil {
		kept.RootCert = request.RootCopy
		var errCopy error
		if root, errCopy = parseRoot(kept); errCopy != nil {
			return Material{}, root, err
		}
		kept.Warnings = []string{"root certificate: it was lost or damaged, and was restored from the published copy"}
	}
	if !request.ClockUnsure && request.Now.Before(root.Leaf.NotBefore) {
		return Material{}, root, fmt.Errorf("it is not valid before %s, so the clock was ahead when it was made", root.Leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return kept, root, nil
}

// ParseLeaf returns the server certificate.
func ParseLeaf(leaf []byte) (*x509.Certificate, error) {
	pair, err := tls.X509KeyPair(leaf, leaf)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(pair.Certificate[0])
}

func parseRoot(m Material) (tls.Certificate, error) {
	pair, err := tls.X509KeyPair(m.RootCert, m.RootKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
		return tls.Certificate{}, err
	}
	if !pair.Leaf.IsCA {
		return tls.Certificate{}, errors.New("not a certificate authority")
	}
	return pair, nil
}

// fits reports whether leaf serves every wanted name and address, and no other, for long
// enough.
func fits(leaf []byte, root *x509.Certificate, request Request) bool {
	certificate, err := ParseLeaf(leaf)
	if err != nil || certificate.CheckSignatureFrom(root) != nil {
		return false
	}
	if request.Now.Before(certificate.NotBefore) || certificate.NotAfter.Sub(request.Now) < renewBefore {
		return false
	}
	var present []string
	for _, ip := range certificate.IPAddresses {
		present = append(present, ip.String())
	}
	var wanted []string
	for _, address := range subjectAddresses(request) {
		wanted = append(wanted, address.String())
	}
	slices.Sort(present)
	return slices.Equal(present, wanted) && slices.Equal(certificate.DNSNames, subjectNames(request))
}

func newRoot(request Request) (Material, tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Material{}, tls.Certificate{}, err
	}
	template, err := newTemplate("SLM-Copilot root of "+request.Names[0], request.Now, rootValidity)
	if err != nil {
		return Material{}, tls.Certificate{}, err
	}
	// The root can sign server certificates and nothing else, not even another root.
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return Material{}, tls.Certificate{}, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return Material{}, tls.Certificate{}, err
	}
	material := Material{RootCert: encodeCertificate(der), RootKey: keyPEM}
	root, err := parseRoot(material)
	return material, root, err
}

// newLeaf uses RSA because some older clients support nothing else.
func newLeaf(root tls.Certificate, request Request) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, leafBits)
	if err != nil {
		return nil, err
	}
	template, err := newTemplate(request.Names[0], request.Now, leafValidity)
	if err != nil {
		return nil, err
	}
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.DNSNames = subjectNames(request)
	for _, address := range subjectAddresses(request) {
		template.IPAddresses = append(template.IPAddresses, net.IP(address.AsSlice()))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, root.Leaf, key.Public(), root.PrivateKey)
	if err != nil {
		return nil, err
	}
	keyPEM, err := encodeKey(key)
	return append(encodeCertificate(der), keyPEM...), err
}

func newTemplate(commonName string, now time.Time, validity time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject: pkix.Name{
			Organization: []string{"SLM-Copilot"},
			CommonName:   commonName[:min(len(commonName), maxCommonName)],
		},
		NotBefore: now.Add(-backdate),
		NotAfter:  now.Add(validity - backdate),
	}, nil
}

// subjectNames and subjectAddresses add what clients on the machine itself use.
func subjectNames(request Request) []string {
	names := append(slices.Clone(request.Names), "localhost")
	slices.Sort(names)
	return slices.Compact(names)
}

func subjectAddresses(request Request) []netip.Addr {
	var addresses []netip.Addr
	for _, address := range request.Addresses {
		addresses = append(addresses, address.Unmap().WithZone(""))
	}
	addresses = append(addresses, netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback())
	slices.SortFunc(addresses, func(a, b netip.Addr) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(addresses)
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
