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

// Payload is one file the appliance needs.
type Payload struct {
	// Field is the configuration block it comes from ("model"); messages name
	// "model.source" and "model.checksum".
	Field string
	// Source is a path or an http(s) URL.
	Source string
	// Checksum satisfies CheckChecksum; Unchecked only with a path. Empty takes whatever
	// comes, says so, and tells its digest: callers decide when that is allowed.
	Checksum string
	// Size is what the lock file says, in bytes; 0 if nobody knows.
	Size int64
	// Token is sent to the host of Source as a bearer token, and to no other.
	Token string
}

// digest is the lower-case hex form, and so the name in the cache; empty if the payload
// is not pinned.
func (p Payload) digest() string {
	return strings.ToLower(strings.TrimPrefix(p.Checksum, digest.SHA256Prefix))
}

// name is what the payload is called in the cache while it is on its way.
func (p Payload) name() string {
	if p.Checksum != "" {
		return p.digest()
	}
	sum := sha256.Sum256([]byte(p.Source))
	return "url-" + hex.EncodeToString(sum[:])
}

// checkDownload refuses what must not go out on the wire, or into the cache as a name.
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

// IsLoopback tells whether host (no port) is this machine, to which plain http is safe.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checksumError blames the checksum; every other error of a Fetch blames the source.
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
