// Package secret makes the passwords and keys of one virtual machine, once.
package secret

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	// passwordLength is for 95 bits of entropy.
	passwordLength = 16
	keyBytes       = 32
)

// Password returns the one in force: wanted if it is not empty, else the one stored in the
// file, else a new one. The password stays when the variable is cleared later.
func Password(wanted, path string) (string, error) {
	if wanted != "" {
		return wanted, nil
	}
	return kept(path, newPassword)
}

// Key returns the key stored in the file, or a new one.
func Key(path string) (string, error) {
	return kept(path, func() string {
		key := make([]byte, keyBytes)
		_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
		return hex.EncodeToString(key)
	})
}

// Read returns the secret stored in the file.
func Read(path string) (string, error) {
	text, err := os.ReadFile(path)
	return strings.TrimSuffix(string(text), "\n"), err
}

// Content is the content of a secret's file.
func Content(secret string) []byte { return []byte(secret + "\n") }

func kept(path string, make func() string) (string, error) {
	secret, err := Read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the stored secret: %w", err)
	}
	if secret != "" {
		return secret, nil
	}
	return make(), nil
}

func newPassword() string {
	password := make([]byte, 0, passwordLength)
	random := make([]byte, 2*passwordLength)
	for len(password) < passwordLength {
		_, _ = rand.Read(random) // never fails: crypto/rand ends the program instead
		for _, b := range random {
			if c, ok := character(b); ok && len(password) < passwordLength {
				password = append(password, c)
			}
		}
	}
	return string(password)
}

// character maps the same number of byte values to each character. It rejects the remaining
// ones, which would favour the first characters.
func character(b byte) (c byte, ok bool) {
	const fair = 256 - 256%len(alphabet)
	return alphabet[int(b)%len(alphabet)], int(b) < fair
}
