package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	pkgsftp "github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

const (
	// dialTimeout is for a TCP connection, handshakeTimeout for everything until SFTP is
	// ready. A server that makes DNS lookups at login can be slow.
	dialTimeout      = 20 * time.Second
	handshakeTimeout = time.Minute
	// keepAlive is the time between two keep-alive requests, each of which the server answers:
	// so a connection that carries nothing for as long as silence is broken.
	keepAlive = 15 * time.Second
	silence   = time.Minute
	// keepAliveRequest is OpenSSH's; a server that does not know it rejects it, which is an
	// answer too.
	keepAliveRequest = "keepalive@openssh.com"
	// packet is how many bytes of a file one message carries: what OpenSSH's sftp-server
	// accepts (SFTP_MAX_MSG_LENGTH of 256 KiB, less the header of the message).
	packet = 255 << 10
)

// session is one SSH connection to the front-end, with its SFTP client.
type session struct {
	*pkgsftp.Client
	conn *ssh.Client
	// free stops watching the context.
	free func() bool
}

// connect logs in. The session is closed when its context ends, which also unblocks whatever
// waits for the server.
func (o Options) connect(ctx context.Context) (*session, error) {
	s, err := o.open(ctx)
	if ctx.Err() != nil {
		if s != nil {
			s.close()
		}
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", o.shown(), err)
	}
	return s, nil
}

func (o Options) open(ctx context.Context) (*session, error) {
	file, err := o.knownHostsFile()
	if err != nil {
		return nil, err
	}
	hosts, err := readHostKeys(file, o.address())
	if err != nil {
		return nil, err
	}
	methods, login, err := o.login(ctx)
	if err != nil {
		return nil, err
	}
	defer login.Close()
	dialer := net.Dialer{Timeout: dialTimeout}
	raw, err := dialer.DialContext(ctx, "tcp", o.address())
	if err != nil {
		return nil, err
	}

	limited, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	stop := context.AfterFunc(limited, func() { raw.Close() })
	s, err := handshake(watched{raw, silence}, o.address(), &ssh.ClientConfig{
		User: o.User, Auth: methods, HostKeyCallback: hosts.verify, HostKeyAlgorithms: hosts.algorithms,
	})
	if !stop() && err == nil {
		err = errors.Join(limited.Err(), s.conn.Close())
	}
	if limited.Err() != nil {
		return nil, fmt.Errorf("the server did not let us in within %s: %w", handshakeTimeout, os.ErrDeadlineExceeded)
	}
	if err != nil {
		return nil, explainHandshake(err)
	}
	s.free = context.AfterFunc(ctx, func() { raw.Close() })
	go s.keepAlive()
	return s, nil
}

func handshake(conn net.Conn, address string, config *ssh.ClientConfig) (*session, error) {
	transport, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if err != nil {
		return nil, err
	}
	s := &session{conn: ssh.NewClient(transport, channels, requests)}
	s.Client, err = pkgsftp.NewClient(s.conn)
	if err != nil {
		if _, _, broken := s.conn.SendRequest(keepAliveRequest, true, nil); broken == nil {
			err = fmt.Errorf("the server lets us in but offers no SFTP to %s (see Subsystem in its sshd_config): %w", config.User, noFiles{err})
		}
		_ = s.conn.Close()
		return nil, err
	}
	if _, isOpenSSH := s.HasExtension("limits@openssh.com"); isOpenSSH {
		// Other servers guarantee only the 32 KiB of the protocol's draft.
		err = pkgsftp.MaxPacketUnchecked(packet)(s.Client)
	}
	return s, err
}

// noFiles marks an answer of the server, although its text may look like a broken connection.
type noFiles struct{ error }

func explainHandshake(err error) error {
	var hostKey hostKeyError
	var refused noFiles
	switch {
	case errors.As(err, &hostKey):
		return hostKey
	case errors.As(err, &refused), isTemporary(err):
		return err
	}
	return fmt.Errorf("the server does not let us in: check the user name, and that the key or password is good for it: %w", err)
}

// keepAlive returns when the connection ends.
func (s *session) keepAlive() {
	ended := make(chan struct{})
	go func() {
		_ = s.conn.Wait()
		close(ended)
	}()
	ticks := time.NewTicker(keepAlive)
	defer ticks.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticks.C:
			// Returns at the latest when the connection breaks.
			_, _, _ = s.conn.SendRequest(keepAliveRequest, true, nil)
		}
	}
}

// close closes the connection first, so that nothing waits for an answer.
func (s *session) close() {
	s.free()
	_ = s.conn.Close()
	_ = s.Close()
}

// watched is a connection that is closed when no data moves on it.
type watched struct {
	net.Conn
	silence time.Duration
}

func (w watched) Read(p []byte) (int, error) {
	if err := w.SetReadDeadline(time.Now().Add(w.silence)); err != nil {
		return 0, err
	}
	return w.Conn.Read(p)
}

func (w watched) Write(p []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(w.silence)); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}

// isTemporary reports whether err is a broken connection; an answer of the server would be the
// same next time.
func isTemporary(err error) bool {
	var network *net.OpError
	for _, broken := range []error{pkgsftp.ErrSSHFxConnectionLost, pkgsftp.ErrSSHFxNoConnection, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, os.ErrDeadlineExceeded} {
		if errors.Is(err, broken) {
			return true
		}
	}
	return errors.As(err, &network)
}
