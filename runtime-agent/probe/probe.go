// Package probe waits until the appliance serves as a client expects: a real token comes
// through nginx, over TLS, with the password.
package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/completion"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

const (
	prompt    = "Say hello."
	maxTokens = 8
	// sayEvery limits a wait of half an hour to two hundred lines.
	sayEvery = 10 * time.Second
)

// Client is what a request needs.
type Client struct {
	BaseURL  string
	Model    string
	Password string
	// Certificate is the one nginx should serve, in PEM; a chain may follow it. No other
	// is accepted, whoever signed it: this client knows the file nginx is configured with.
	Certificate []byte
}

// Ask gets one streamed answer.
func (c Client) Ask(ctx context.Context) (completion.Result, error) {
	expected, _ := pem.Decode(c.Certificate)
	if expected == nil {
		return completion.Result{}, errors.New("the server certificate cannot be read")
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			InsecureSkipVerify: true, //nolint:gosec // in favour of the stricter rule below
			VerifyPeerCertificate: func(served [][]byte, _ [][]*x509.Certificate) error {
				if !bytes.Equal(served[0], expected.Bytes) {
					return errors.New("nginx does not serve the configured certificate")
				}
				return nil
			},
		},
		// Each attempt makes a new connection: nginx may have reloaded.
		DisableKeepAlives: true,
	}
	return completion.Stream(ctx, &http.Client{Transport: transport}, c.BaseURL, c.Model, c.Password, prompt, maxTokens)
}

// answersTimeout is for a route that computes nothing.
const answersTimeout = 5 * time.Second

// Answers returns nil if the appliance at baseURL would pass a request to a loaded model, else the
// reason why not. It needs no password and sends none, so it accepts any certificate.
func Answers(ctx context.Context, baseURL string) error {
	ctx, cancel := context.WithTimeout(ctx, answersTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, baseURL+appliance.PathReadyz, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		DisableKeepAlives: true,
	}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("nginx answers %s: the model is not loaded", response.Status)
	}
	return nil
}

// Wait asks until there is an answer or ctx ends, with a pause between two attempts. client
// is called for each, because the settings may change in between. say is called now and then
// with the reason for the wait.
func Wait(ctx context.Context, pause time.Duration, client func() (Client, error), say func(string)) (completion.Result, error) {
	started := time.Now()
	said := started
	var reason error
	for {
		result, err := attempt(ctx, client)
		if err == nil {
			return result, nil
		}
		// A timeout in the middle of an attempt says less than why the one before it
		// failed.
		if reason == nil || ctx.Err() == nil {
			reason = err
		}
		if time.Since(said) >= sayEvery {
			said = time.Now()
			say(fmt.Sprintf("still waiting after %s: %v", time.Since(started).Round(time.Second), reason))
		}
		if retry.Sleep(ctx, pause) != nil {
			return completion.Result{}, fmt.Errorf("no answer after %s: %w", time.Since(started).Round(100*time.Millisecond), reason)
		}
	}
}

func attempt(ctx context.Context, client func() (Client, error)) (completion.Result, error) {
	c, err := client()
	if err != nil {
		return completion.Result{}, err
	}
	return c.Ask(ctx)
}
