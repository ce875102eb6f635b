// Package ready waits until the appliance does what it is for: a real token comes through
// nginx, over TLS, with the password, as a client gets it.
package ready

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/completion"
)

const (
	prompt    = "Say hello."
	maxTokens = 8
	// sayEvery keeps a wait of half an hour below two hundred lines.
	sayEvery = 10 * time.Second
)

// Client is who asks.
type Client struct {
	BaseURL  string
	Model    string
	Password string
	// Root is the certificate of the authority, in PEM.
	Root []byte
}

// Ask gets one streamed answer.
func (c Client) Ask(ctx context.Context) (completion.Result, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.Root) {
		return completion.Result{}, errors.New("the root certificate cannot be read")
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		// Each attempt meets nginx as it is now, after a reload too.
		DisableKeepAlives: true,
	}
	return completion.Stream(ctx, &http.Client{Transport: transport}, c.BaseURL, c.Model, c.Password, prompt, maxTokens)
}

// Wait asks until there is an answer or ctx ends, with a pause between two attempts. client
// is called for each, because a change of the settings may come in between. say hears now
// and then what is being waited for.
func Wait(ctx context.Context, pause time.Duration, client func() (Client, error), say func(string)) (completion.Result, error) {
	started := time.Now()
	said := started
	var reason error
	for {
		result, err := attempt(ctx, client)
		if err == nil {
			return result, nil
		}
		// That time ran out in the middle of an attempt says less than why the one
		// before it failed.
		if reason == nil || ctx.Err() == nil {
			reason = err
		}
		waited := time.Since(started).Round(time.Second)
		if time.Since(said) >= sayEvery {
			said = time.Now()
			say(fmt.Sprintf("still waiting after %s: %v", waited, reason))
		}
		select {
		case <-ctx.Done():
			return completion.Result{}, fmt.Errorf("no answer after %s: %w", waited, reason)
		case <-time.After(pause):
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
