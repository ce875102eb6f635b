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

// hostKeys are the known host keys of the front-end.
type hostKeys struct {
	address string
	file    string
	check   ssh.HostKeyCallback
	// algorithms are those of the known keys; empty if the host is not known. A server with
	// several keys presents the first one the client asks for; without this list that may be a
	// key missing from known_hosts, which would look like an attack.
	algorithms []string
}

func readHostKeys(file, address string) (*hostKeys, error) {
	check, err := knownhosts.New(file)
	if errors.Is(err, fs.ErrNotExist) {
		// Without a file no host is known.
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

// known returns all keys noted for the host, by checking a key that no server can have: the
// error lists the keys expected instead.
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

// algorithmsOf returns the algorithms with which a server can prove that it has the key; for
// the key of a CA, those of certificates the CA signs.
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

// isAuthority reports whether the line of a key begins with @cert-authority. Package
// knownhosts parses this marker, but does not expose it.
func isAuthority(known knownhosts.KnownKey) (bool, error) {
	content, err := os.ReadFile(known.Filename)
	if err != nil {
		return false, err
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	// A line can be arbitrarily long, because of its list of hosts.
	lines.Buffer(nil, len(content)+1)
	for number := 1; lines.Scan(); number++ {
		if number == known.Line {
			return strings.HasPrefix(strings.TrimSpace(lines.Text()), "@cert-authority"), nil
		}
	}
	return false, lines.Err()
}

// hostKeyError says what is wrong with the host key of a server.
type hostKeyError struct{ error }

// verify is the host key callback of the SSH handshake.
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
