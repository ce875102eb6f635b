package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// Payload is one input file of the appliance.
type Payload struct {
	// Field is the configuration block the payload comes from ("model"); messages refer to
	// "model.source" and "model.checksum".
	Field string
	// Source is a path or an http(s) URL.
	Source string
	// Checksum must satisfy CheckChecksum; Unchecked is valid only with a path. If it is
	// empty, whatever arrives is accepted, with a message that states its digest: callers
	// decide when that is allowed.
	Checksum string
	// Size is the size in the lock file, in bytes; 0 if unknown.
	Size int64
	// Token is sent to the host of Source as a bearer token, and to no other.
	Token string
}

// digest returns the digits of the checksum in lower case, which are the name in the cache;
// empty if the payload is not pinned.
func (p Payload) digest() string {
	return strings.ToLower(strings.TrimPrefix(p.Checksum, digest.SHA256Prefix))
}

// name is the name in the cache during a download.
func (p Payload) name() string {
	if p.Checksum != "" {
		return p.digest()
	}
	sum := sha256.Sum256([]byte(p.Source))
	return "url-" + hex.EncodeToString(sum[:])
}

// checkDownload refuses what must not be sent over the network, or used as a name in the
// cache.
func (p Payload) checkDownload() error {
	if p.Checksum == Unchecked {
		return checksumError{fmt.Errorf("%q is for a local file: %s is a download", Unchecked, p.shown())}
	}
	if err := CheckChecksum(p.Checksum); err != nil && p.Checksum != "" {
		return checksumError{err}
	}
	u, err := url.Parse(p.Source)
	if err != nil || u.Host == "" {
		return errors.New("must be a path or an http(s) URL")
	}
	if p.Token != "" && u.Scheme == "http" && !IsLoopback(u.Hostname()) {
		return fmt.Errorf("%s: the token would cross the network in clear text: use https", p.shown())
	}
	return nil
}

// IsLoopback reports whether host (without a port) is this machine, with which plain http is
// safe.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checksumError marks errors that concern the checksum; all other errors of Fetch concern the
// source.
type checksumError struct{ error }

func (p Payload) wrongChecksum(actual string) error {
	return checksumError{fmt.Errorf("%s has %s%s, expected %s%s: correct the checksum or the source",
		p.shown(), digest.SHA256Prefix, actual, digest.SHA256Prefix, p.digest())}
}

// shown is the source for messages: user, password and query of a URL may be secret.
func (p Payload) shown() string {
	u, err := url.Parse(p.Source)
	if IsURL(p.Source) && err != nil {
		return "the URL"
	}
	if !IsURL(p.Source) {
		return p.Source
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

func (p Payload) base() string {
	return filepath.Base(p.shown())
}
