// Package secret makes the passwords and keys of one virtual machine, once.
package secret

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
)

const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	// passwordLength is for 95 bits of entropy.
	passwordLength = 16
	keyBytes       = 32
	// maxSize bounds what is read as a secret, in bytes.
	maxSize = 4096
)

// kind is a kind of generated secret.
type kind struct {
	name string
	// form matches every one of the kind: a file that was cut or overwritten does not.
	form *regexp.Regexp
	make func() string
}

var (
	password = kind{"password", regexp.MustCompile(`^[A-Za-z0-9]{16}$`), newPassword}
	key      = kind{"LocalAI's key", regexp.MustCompile(`^[0-9a-f]{64}$`), newKey}
)

// Stored is where a secret is kept.
type Stored struct {
	// Path is the file.
	Path string
	// InUse is the secret that the configuration in force contains; empty if there is none. It
	// replaces a file that is lost or damaged.
	InUse string
	// Expected is true if there has been one before.
	Expected bool
	// Withdrawn are secrets that must not be used any more.
	Withdrawn []string
}

// Password returns the stored password, or a new one at the first boot and after the stored one
// was withdrawn. If it is lost or damaged, the one in use takes its place, or else a new one, and
// the warning says so.
func Password(stored Stored) (value, warning string, err error) { return password.keep(stored) }

// Key is Password for LocalAI's key.
func Key(stored Stored) (value, warning string, err error) { return key.keep(stored) }

// Read returns the secret stored in the file.
func Read(path string) (string, error) {
	text, err := guardedfile.Read(path, maxSize)
	return strings.TrimSuffix(string(text), "\n"), err
}

// Content is the content of a secret's file.
func Content(secret string) []byte { return []byte(secret + "\n") }

func (k kind) keep(s Stored) (value, warning string, err error) {
	value, err = Read(s.Path)
	lost := errors.Is(err, fs.ErrNotExist)
	// A password that an operator has set is not among those that are kept.
	usable := func(value string) bool { return !slices.Contains(s.Withdrawn, value) && k.form.MatchString(value) }
	switch {
	case err != nil && !lost:
		return "", "", fmt.Errorf("read the stored secret: %w", err)
	case value != "" && slices.Contains(s.Withdrawn, value):
		return k.make(), "", nil
	case usable(value):
		return value, "", nil
	case usable(s.InUse):
		return s.InUse, fmt.Sprintf("%s with the %s is %s; it was restored from the configuration in force", s.Path, k.name, state(lost)), nil
	case lost && !s.Expected:
		return k.make(), "", nil
	}
	return k.make(), fmt.Sprintf("%s with the %s is %s; a new one was made", s.Path, k.name, state(lost)), nil
}

func state(lost bool) string {
	if lost {
		return "lost"
	}
	return "damaged"
}

func newKey() string {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(key)
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
