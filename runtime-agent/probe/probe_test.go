package probe

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

const password = "the-password"

// serve answers over TLS as the engine does, after being unavailable a few times.
func serve(t *testing.T, unavailable int) Client {
	t.Helper()
	engine := localaitest.NewHandler(localaitest.Options{Keys: []string{password}})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if unavailable > 0 {
			unavailable--
			http.Error(w, "loading", http.StatusServiceUnavailable)
			return
		}
		engine.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return Client{
		BaseURL: server.URL, Model: appliance.ModelID, Password: password,
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}
}

func TestWaitEndsWithTheFirstToken(t *testing.T) {
	client := serve(t, 2)
	attempts := 0
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	result, err := Wait(ctx, time.Millisecond, func() (Client, error) {
		attempts++
		if attempts == 1 {
			return Client{}, errors.New("not configured yet")
		}
		return client, nil
	}, func(string) {})
	require.NoError(t, err)
	assert.Equal(t, 4, attempts)
	assert.NotEmpty(t, result.Text)
}

func TestWaitFailsWithTheReason(t *testing.T) {
	wrong := serve(t, 0)
	wrong.Password = "wrong"
	stranger := serve(t, 0)
	stranger.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("another certificate")})
	unreadable := serve(t, 0)
	unreadable.Certificate = []byte("no PEM")
	for want, client := range map[string]Client{
		"HTTP 401":                              wrong,
		"does not serve the configured":         stranger,
		"the server certificate cannot be read": unreadable,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		attempts := 0
		_, err := Wait(ctx, time.Millisecond, func() (Client, error) {
			attempts++
			if attempts == 2 {
				cancel()
			}
			return client, nil
		}, func(string) {})
		cancel()
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "no answer after")
	}
}

// Most of the time may have passed during the pause after the last attempt.
func TestTheErrorStatesTheTimeWaited(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	nobody := func() (Client, error) { return Client{}, errors.New("no password yet") }
	_, err := Wait(ctx, time.Minute, nobody, func(string) {})
	assert.ErrorContains(t, err, ": no password yet")
	assert.NotContains(t, err.Error(), "after 0s")
}
