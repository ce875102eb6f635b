package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func certificate(t *testing.T) *tls.Certificate {
	t.Helper()
	material, err := Renew(Material{}, Request{Names: []string{domain}, Now: time.Now()})
	require.NoError(t, err)
	pair, err := tls.X509KeyPair(material.Leaf, material.Leaf)
	require.NoError(t, err)
	return &pair
}

// serve sends the certificate that choose returns for each handshake.
func serve(t *testing.T, choose func(name string) *tls.Certificate) (address string) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return choose(hello.ServerName), nil },
	})
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = conn.(*tls.Conn).Handshake(); conn.Close() }()
		}
	}()
	return listener.Addr().String()
}

func TestServedLeaf(t *testing.T) {
	named, other := certificate(t), certificate(t)
	address := serve(t, func(asked string) *tls.Certificate {
		if asked == domain {
			return named
		}
		return other
	})
	for asked, want := range map[string]*x509.Certificate{domain: named.Leaf, "": other.Leaf} {
		leaf, err := ServedLeaf(t.Context(), address, asked)
		require.NoError(t, err)
		assert.True(t, leaf.Equal(want), "asked for %q", asked)
	}
}

func TestServedLeafSaysWhatIsWrong(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = ServedLeaf(ctx, silent.Addr().String(), domain)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, silent.Close())
	_, err = ServedLeaf(t.Context(), silent.Addr().String(), domain)
	assert.ErrorIs(t, err, ErrNothingListens)
}

func TestAwaitServed(t *testing.T) {
	old, next := certificate(t), certificate(t)
	var handshakes atomic.Int32
	address := serve(t, func(string) *tls.Certificate {
		if handshakes.Add(1) < 3 {
			return old
		}
		return next
	})
	leaf, err := AwaitServed(t.Context(), address, domain, next.Leaf, time.Minute)
	require.NoError(t, err)
	assert.True(t, leaf.Equal(next.Leaf))

	leaf, err = AwaitServed(t.Context(), address, domain, old.Leaf, 0)
	require.NoError(t, err)
	assert.True(t, leaf.Equal(next.Leaf), "without patience it returns what is served")
}
