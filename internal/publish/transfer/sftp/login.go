package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// login returns the authentication methods to offer the server. The closer must be closed
// after the handshake.
func (o Options) login(ctx context.Context) ([]ssh.AuthMethod, io.Closer, error) {
	switch {
	case o.UseAgent:
		return agentLogin(ctx)
	case o.PrivateKeyFile != "":
		key, err := readKey(o.PrivateKeyFile)
		if err != nil {
			return nil, nil, fmt.Errorf("read the private key %s: %w", o.PrivateKeyFile, err)
		}
		return []ssh.AuthMethod{ssh.PublicKeys(key)}, nothing{}, nil
	}
	// A server that uses PAM accepts a password only as the answer to a prompt.
	answer := func(_, _ string, questions []string, echoes []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for i, echo := range echoes {
			if echo {
				return nil, errors.New("the server asks for more than a password")
			}
			answers[i] = o.Password
		}
		return answers, nil
	}
	return []ssh.AuthMethod{ssh.Password(o.Password), ssh.KeyboardInteractive(answer)}, nothing{}, nil
}

type nothing struct{}

func (nothing) Close() error { return nil }

func readKey(path string) (ssh.Signer, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		var failed *os.PathError
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(content)
	var encrypted *ssh.PassphraseMissingError
	if errors.As(err, &encrypted) {
		return nil, errors.New("it is protected by a passphrase: load it into an ssh-agent and set agent, or name a key without one (ssh-keygen -p)")
	}
	if err != nil {
		return nil, errors.New("it is not a private key that OpenSSH would read")
	}
	return key, nil
}

func agentLogin(ctx context.Context) ([]ssh.AuthMethod, io.Closer, error) {
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, nil, errors.New("agent is set, but SSH_AUTH_SOCK is not: no ssh-agent runs for this process")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil, fmt.Errorf("ask the ssh-agent: %w", err)
	}
	keys, err := agent.NewClient(conn).Signers()
	if err == nil && len(keys) == 0 {
		err = errors.New("it holds no key: add one with ssh-add")
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("ask the ssh-agent: %w", err), conn.Close())
	}
	return []ssh.AuthMethod{ssh.PublicKeys(keys...)}, conn, nil
}
