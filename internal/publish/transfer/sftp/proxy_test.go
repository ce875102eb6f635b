package sftp

import (
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy is a network that fails between a client and a server.
type proxy struct {
	address string
	// sent counts bytes from clients to the server.
	sent atomic.Int64
	// connections counts them.
	connections atomic.Int64
}

// fault says what becomes of one connection.
type fault struct {
	// after is how many bytes a client can send before; 0 means never.
	after int64
	// stall leaves the connection open, and lets nothing through any more.
	stall bool
}

// startProxy has the first connections fail as told, and the others work.
func startProxy(t testing.TB, server string, faults ...fault) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	p := &proxy{address: listener.Addr().String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			var f fault
			if n := p.connections.Add(1); int(n) <= len(faults) {
				f = faults[n-1]
			}
			go p.forward(t, client, server, f)
		}
	}()
	return p
}

func (p *proxy) forward(t testing.TB, client net.Conn, server string, f fault) {
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		client.Close()
		return
	}
	go func() {
		_, _ = io.Copy(client, upstream)
		if !f.stall {
			client.Close()
		}
	}()
	var from io.Reader = client
	if f.after > 0 {
		from = io.LimitReader(client, f.after)
	}
	_, _ = io.Copy(upstream, io.TeeReader(from, counting{&p.sent}))
	if f.stall {
		t.Cleanup(func() { client.Close(); upstream.Close() })
		return
	}
	// As a network does: without a word, and both ends notice by themselves.
	_ = client.(*net.TCPConn).SetLinger(0)
	client.Close()
	upstream.Close()
}

type counting struct{ n *atomic.Int64 }

func (c counting) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
