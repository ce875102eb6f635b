package opennebula

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Credentials are a user's name and secret.
type Credentials struct {
	User string
	// Secret is a password or a login token; oned treats both alike.
	Secret string
}

func (c Credentials) check() error {
	var mistakes []error
	if c.User == "" {
		mistakes = append(mistakes, errors.New("user: must not be empty"))
	}
	if strings.Contains(c.User, ":") {
		mistakes = append(mistakes, errors.New("user: must not hold a colon"))
	}
	if c.Secret == "" {
		mistakes = append(mistakes, errors.New("password: must not be empty"))
	}
	return errors.Join(mistakes...)
}

// ReadAuthFile reads a file such as ~/.one/one_auth: "user:password" or "user:token" in its
// first line. The line break is removed, because oned would refuse the credentials with it.
// The file must not be readable by others.
func ReadAuthFile(path string) (Credentials, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Credentials{}, fmt.Errorf("read the credentials: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return Credentials{}, fmt.Errorf("read the credentials: others may read %s (mode %04o); chmod 600 it", path, mode)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return Credentials{}, fmt.Errorf("read the credentials: %w", err)
	}
	line, _, _ := strings.Cut(string(content), "\n")
	user, secret, found := strings.Cut(strings.TrimSpace(line), ":")
	c := Credentials{User: user, Secret: secret}
	if !found || c.check() != nil {
		return Credentials{}, fmt.Errorf(`read the credentials: the first line of %s must be "user:password"`, path)
	}
	return c, nil
}
