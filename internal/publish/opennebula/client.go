// Package opennebula talks to an OpenNebula front-end; it is the only package that
// imports goca, and takes its client, its errors and its transport from there. Objects
// go out as XML templates and are decoded here: goca writes quotes and backslashes that
// oned stores wrongly, and reads attributes less exactly than a comparison needs.
package opennebula

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/OpenNebula/one/src/oca/go/src/goca"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// Client calls one front-end as one user. It may be used from several goroutines.
type Client struct {
	endpoint string
	goca     *goca.Client
	say      func(string)
	retries  retry.Policy
	// poll is the time between two looks at an object that is changing.
	poll time.Duration
}

// Options are what a Client needs.
type Options struct {
	// Endpoint is the URL of the API, "https://one.example.org:2633/RPC2".
	Endpoint    string
	Credentials Credentials
	// HTTP brings time-outs, TLS and proxy settings, of which goca has none; see NewHTTP.
	HTTP *http.Client
	// Say is told of every call that is tried again.
	Say func(string)
	// Poll is the time between two looks at an object that is changing; 0 stands for two
	// seconds.
	Poll time.Duration
}

const defaultPoll = 2 * time.Second

// New checks its arguments and makes a client; it does not connect.
func New(o Options) (*Client, error) {
	var mistakes []error
	if err := CheckEndpoint(o.Endpoint); err != nil {
		mistakes = append(mistakes, fmt.Errorf("endpoint: %w", err))
	}
	// goca.NewConfig ends the process when both are empty and there is no ONE_AUTH file.
	if err := o.Credentials.check(); err != nil {
		mistakes = append(mistakes, err)
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	config := goca.NewConfig(o.Credentials.User, o.Credentials.Secret, o.Endpoint)
	c := &Client{endpoint: o.Endpoint, goca: goca.NewClient(config, o.HTTP), say: o.Say, retries: retries, poll: defaultPoll}
	if o.Poll > 0 {
		c.poll, c.retries.Pause = o.Poll, o.Poll
	}
	return c, nil
}

// CheckEndpoint says why endpoint is not the URL of an API. It refuses credentials in it,
// because errors and logs repeat it.
func CheckEndpoint(endpoint string) error {
	const rule = `must be an http(s) URL without credentials such as "https://one.example.org:2633/RPC2"`
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return errors.New(rule)
	}
	return nil
}

// Version asks for the version of the front-end: "7.0.0".
func (c *Client) Version(ctx context.Context) (string, error) {
	return c.read(ctx, "one.system.version")
}
