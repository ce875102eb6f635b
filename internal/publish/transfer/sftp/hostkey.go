package sftp

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys are the keys by which the front-end is known.
type hostKeys struct {
	address string
	file    string
	check   ssh.HostKeyCallback
	// algorithms are those of the keys that are known. A server with several keys presents
	// the one that comes first in what it is asked for; without this list that may be a key
	// nobody has noted, and look like an attack. Empty if the host is not known.
	algorithms []string
}

func readHostKeys(file, address string) (*hostKeys, error) {
	check, err := knownhosts.New(file)
	if errors.Is(err, fs.ErrNotExist) {
		// Then no host is known.
		check, err = knownhosts.New()
	}
	if err != nil {
		return nil, fmt.Errorf("read the known hosts: %w", err)
	}
	keys := &hostKeys{address: address, file: file, check: check}
	for _, known := range keys.known() {
		algorithms, err := algorithmsOf(known)
		if err != nil {
			return nil, fmt.Errorf("read the known hosts: %w", err)
		}
		for _, algorithm := range algorithms {
			if !slices.Contains(keys.algorithms, algorithm) {
				keys.algorithms = append(keys.algorithms, algorithm)
			}
		}
	}
	return keys, nil
}

// known are all keys noted for the host: those that are wanted where a key that nobody can
// have is presented.
func (k *hostKeys) known() []knownhosts.KnownKey {
	nobodys, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil
	}
	var mismatch *knownhosts.KeyError
	errors.As(k.check(k.address, &net.TCPAddr{IP: net.IPv4zero}, nobodys), &mismatch)
	if mismatch == nil {
		return nil
	}
	return mismatch.Want
}

// algorithmsOf are those by which a server can prove that it has the key, or for the key of
// an authority, a certificate by it.
func algorithmsOf(known knownhosts.KnownKey) ([]string, error) {
	certifies, err := isAuthority(known)
	if err != nil {
		return nil, err
	}
	var algorithms []string
	for _, algorithm := range ssh.SupportedAlgorithms().HostKeys {
		isCertificate := strings.Contains(algorithm, "-cert-v01@")
		switch {
		case certifies && isCertificate, !certifies && algorithm == known.Key.Type():
			algorithms = append(algorithms, algorithm)
		case !certifies && known.Key.Type() == ssh.KeyAlgoRSA && (algorithm == ssh.KeyAlgoRSASHA256 || algorithm == ssh.KeyAlgoRSASHA512):
			algorithms = append(algorithms, algorithm)
		}
	}
	return algorithms, nil
}

// isAuthority tells whether the line of a key begins with @cert-authority: package
// knownhosts knows, but does not tell.
func isAuthority(known knownhosts.KnownKey) (bool, error) {
	content, err := os.ReadFile(known.Filename)
	if err != nil {
		return false, err
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	// A line can be as long as its list of hosts.
	lines.Buffer(nil, len(content)+1)
	for number := 1; lines.Scan(); number++ {
		if number == known.Line {
			return strings.HasPrefix(strings.TrimSpace(lines.Text()), "@cert-authority"), nil
		}
	}
	return false, lines.Err()
}

// hostKeyError says what is wrong with the key that a server presents.
type hostKeyError struct{ error }

// verify is the callback of the handshake.
func (k *hostKeys) verify(address string, remote net.Addr, key ssh.PublicKey) error {
	err := k.check(address, remote, key)
	var mismatch *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	fingerprint := key.Type() + " " + ssh.FingerprintSHA256(key)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &revoked):
		return hostKeyError{fmt.Errorf("the server's host key (%s) is revoked in %s:%d: do not trust it any more",
			fingerprint, revoked.Revoked.Filename, revoked.Revoked.Line)}
	case errors.As(err, &mismatch) && len(mismatch.Want) > 0:
		want := mismatch.Want[0]
		return hostKeyError{fmt.Errorf("the server's host key (%s) is not the one in %s:%d: the connection may be intercepted; "+
			"if the machine was installed again, run: ssh-keygen -f %s -R %q, and note its new key", fingerprint, want.Filename, want.Line, k.file, knownhosts.Normalize(k.address))}
	case errors.As(err, &mismatch):
		return hostKeyError{fmt.Errorf("the server is not known: if its host key has the fingerprint %s "+
			"(ssh-keygen -lf /etc/ssh/ssh_host_..._key.pub tells it there), add this line to %s: %s",
			fingerprint, k.file, knownhosts.Line([]string{k.address}, key))}
	}
	return hostKeyError{fmt.Errorf("the server's host key (%s) is not to be trusted: %w", fingerprint, err)}
}
