package instance

import (
	"context"
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
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/files"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvmtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/recordertest"
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
	const limit, usual = 10 * time.Minute, 2 * time.Minute
	for want, tt := range map[string]struct{ usual, elapsed time.Duration }{
		"20s, at most 9m40s left":                                       {0, 20 * time.Second},
		"5m1s, at most 4m59s left; the last attempt: EOF":               {0, 301 * time.Second},
		"20s, about 1m40s left (2m0s when verified)":                    {usual, 20 * time.Second},
		"3m0s, longer than when verified (2m0s)":                        {usual, 3 * time.Minute},
		"4m1s, longer than when verified (2m0s); the last attempt: EOF": {usual, 241 * time.Second},
	} {
		w := &wait{limit: limit, usual: tt.usual}
		w.note("the model to be loaded", io.EOF)
		assert.Equal(t, "waiting for the model to be loaded: "+want, w.line(tt.elapsed))
	}
	untried := &wait{limit: limit, stage: "the first answer"}
	assert.NotContains(t, untried.line(limit), "attempt")
}

// A boot like any other shows no error, though connections are refused all the time.
func TestANormalBootLooksLikeOne(t *testing.T) {
	i := create(t, qemuvmtest.Halt)
	i.config.BootTimeout = 7 * time.Second
	require.NoError(t, i.Boot(t.Context()))
	lines := &recordertest.Lines{}
	_, err := i.WaitReady(t.Context(), lines.Say)
	assert.Equal(t, "waiting for the system to boot: 0s, at most 7s left", lines.Text(), "at once")
	assert.Regexp(t, "the last attempt: .*no answer within 5s", err.Error(), "who failed is told why")
}

func TestTheConsoleSaysThatTheSystemIsUp(t *testing.T) {
	baked := files.Files()
	unit := slices.IndexFunc(baked, func(f files.File) bool { return filepath.Base(f.Path) == appliance.ConfigureUnit })
	require.Regexp(t, "(?m)^Description=.*"+configureSays+"$", string(baked[unit].Content))

	i := create(t, qemuvmtest.Greet, qemuvmtest.Halt)
	says := func(text string) {
		log, err := os.OpenFile(i.config.SerialLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		_, err = log.WriteString(text)
		require.NoError(t, err)
		require.NoError(t, log.Close())
	}
	says("Starting SLM-Copilot: " + configureSays + "...\r\n")
	require.NoError(t, i.Boot(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	assert.Error(t, i.systemUp(ctx), "that was an earlier boot")
	says("Starting SLM-Copilot: " + configureSays + "...\r\n")
	assert.NoError(t, i.systemUp(t.Context()))
}
