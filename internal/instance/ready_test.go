package instance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvmtest"
)

// fake answers in place of the guest, first as one that is still loading its model.
type fake struct {
	root     atomic.Pointer[[]byte]
	requests atomic.Int32
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/ca.pem":
		_, _ = w.Write(*f.root.Load())
	case f.requests.Add(1) == 1:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/health":
	default:
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\ndata: [DONE]\n\n")
	}
}

// selfSigned is an authority that is its own server certificate.
func selfSigned(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// behind boots a guest that does nothing and lets the fake answer for it.
func behind(t *testing.T, f *fake) *Instance {
	t.Helper()
	certificate, root := selfSigned(t)
	f.root.Store(&root)
	plain := httptest.NewServer(f)
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(f)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	t.Cleanup(secure.Close)

	i := create(t, qemuvmtest.Halt)
	require.NoError(t, i.Boot(t.Context()))
	i.target.HTTP, i.target.HTTPS = plain.Listener.Addr().String(), secure.Listener.Addr().String()
	return i
}

func TestReadyIsTheFirstToken(t *testing.T) {
	f := &fake{}
	i := behind(t, f)
	ready, err := i.WaitReady(t.Context(), func(string) {})
	require.NoError(t, err)
	assert.Positive(t, ready)
	assert.NotNil(t, i.Target().Root)
	assert.Equal(t, int32(3), f.requests.Load(), "health while loading, health, chat")
}

func TestAnotherRootAfterTheNextBootIsRefusedAtOnce(t *testing.T) {
	f := &fake{}
	i := behind(t, f)
	_, err := i.WaitReady(t.Context(), func(string) {})
	require.NoError(t, err)
	_, other := selfSigned(t)
	f.root.Store(&other)
	_, err = i.WaitReady(t.Context(), func(string) {})
	assert.ErrorIs(t, err, errRootChanged)
}

func TestALineSaysWhatIsWaitedFor(t *testing.T) {
	w := &wait{since: time.Now()}
	w.note("the model to be loaded", nil)
	assert.Equal(t, "waiting for the model to be loaded, 0s since power-on", w.line())
	w.note("the model to be loaded", io.EOF)
	assert.Equal(t, "waiting for the model to be loaded, 0s since power-on: EOF", w.line())
}
