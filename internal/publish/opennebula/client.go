// Package opennebula talks to an OpenNebula front-end. It is the only package that imports
// goca, and uses goca's client, errors and transport. Objects are sent as XML templates and
// decoded here: goca writes quotes and backslashes in a way that oned stores wrongly, and
// parses attributes less exactly than a comparison needs.
package opennebula

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/OpenNebula/one/src/oca/go/src/goca"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// Client calls one front-end as one user. It may be used from several goroutines.
type Client struct {
	endpoint string
	user     string
	goca     *goca.Client
	say      func(string)
	retries  retry.Policy
	// outage is for how long calls are repeated.
	outage time.Duration
	// poll is the time between two polls of an object that is changing.
	poll time.Duration
	// answered is set by the first answer. Until then nothing says that there is a front-end.
	answered atomic.Bool
	// down is set while the front-end, after all retries of a call, has not answered again.
	down atomic.Bool
}

// Options are what a Client needs.
type Options struct {
	// Endpoint is the URL of the API, "https://one.example.org:2633/RPC2".
	Endpoint    string
	Credentials Credentials
	// HTTP supplies timeouts, TLS and proxy settings, none of which goca has; see NewHTTP.
	HTTP *http.Client
	// Say receives a line for every call that is retried.
	Say func(string)
	// Poll is the time between two polls of an object that is changing; 0 means two seconds.
	Poll time.Duration
}

const defaultPoll = 2 * time.Second

// New validates the options and creates a client; it does not connect.
func New(o Options) (*Client, error) {
	var mistakes []error
	if err := CheckEndpoint(o.Endpoint); err != nil {
		mistakes = append(mistakes, fmt.Errorf("endpoint: %w", err))
	}
	// goca.NewConfig exits the process when both are empty and there is no ONE_AUTH file.
	if err := o.Credentials.check(); err != nil {
		mistakes = append(mistakes, err)
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	config := goca.NewConfig(o.Credentials.User, o.Credentials.Secret, o.Endpoint)
	c := &Client{endpoint: o.Endpoint, user: o.Credentials.User, goca: goca.NewClient(config, o.HTTP), say: o.Say, retries: retries, outage: outageTime, poll: defaultPoll}
	if o.Poll > 0 {
		c.poll, c.retries.Pause = o.Poll, o.Poll
	}
	return c, nil
}

// CheckEndpoint returns an error if endpoint is not the URL of an API. It refuses credentials
// in the URL, because errors and logs contain it.
func CheckEndpoint(endpoint string) error {
	const rule = `must be an http(s) URL without credentials such as "https://one.example.org:2633/RPC2"`
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return errors.New(rule)
	}
	return nil
}

// Version returns the version of the front-end: "7.0.0".
func (c *Client) Version(ctx context.Context) (string, error) {
	return c.read(ctx, "one.system.version")
}
