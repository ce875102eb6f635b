// Package signature signs files so that minisign(1) and compatible programs can verify who
// published them.
package signature

import (
	"errors"
	"fmt"
	"os"
	"time"

	"aead.dev/minisign"
)

// Suffix is what minisign expects after the name of the signed file.
const Suffix = ".minisig"

// Key is a secret key.
type Key struct {
	private minisign.PrivateKey
}

// ReadKey reads a secret key file as "minisign -G" creates it. The password decrypts it; a key
// created with -W has none. No error contains the password.
func ReadKey(path, password string) (*Key, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	private, err := parseKey(content, password)
	if err != nil {
		return nil, fmt.Errorf("read the signing key %s: %w", path, err)
	}
	return &Key{private}, nil
}

func parseKey(content []byte, password string) (minisign.PrivateKey, error) {
	if !minisign.IsEncrypted(content) {
		var private minisign.PrivateKey
		if private.UnmarshalText(content) != nil {
			return private, errors.New("it is not a secret key of minisign; minisign -G makes one")
		}
		return private, nil
	}
	if password == "" {
		return minisign.PrivateKey{}, errors.New("it is encrypted, and no password is given")
	}
	private, err := minisign.DecryptKey(password, content)
	if err != nil {
		return private, errors.New("it does not open: either the password is wrong, or the file is damaged")
	}
	return private, nil
}

// PublicKey returns the key that others verify with: minisign -P <public key>.
func (k *Key) PublicKey() string {
	// The method Public always returns this type.
	public, _ := k.private.Public().(minisign.PublicKey)
	return public.String()
}

// Sign returns the content of the signature file for the file name with this content. The same
// content, name and time give the same signature.
func (k *Key) Sign(name string, content []byte, at time.Time) []byte {
	// The format of minisign's own trusted comment, which tools show after a verification.
	trusted := fmt.Sprintf("timestamp:%d\tfile:%s\thashed", at.Unix(), name)
	return minisign.SignWithComments(k.private, content, trusted, "verify with "+k.PublicKey())
}
