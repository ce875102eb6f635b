// Package opennebula talks to an OpenNebula front-end; it is the only package that
// imports goca. Today it can ask for the version, which proves endpoint and
// credentials; registering images and apps will be built on the same Client.
package opennebula

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/OpenNebula/one/src/oca/go/src/goca"
	gocaerrors "github.com/OpenNebula/one/src/oca/go/src/goca/errors"
)

// Client calls one front-end as one user. It may be used from several goroutines.
type Client struct {
	endpoint   string
	controller *goca.Controller
}

// NewClient checks its arguments and makes a client; it does not connect. httpClient
// brings time-out, TLS and proxy settings, of which goca has none. The time-out must be
// 120 seconds or more: the front-end answers an image allocation only after it has
// looked at the source, which took 93 seconds for a source that hangs.
func NewClient(endpoint, user, password string, httpClient *http.Client) (*Client, error) {
	var mistakes []error
	if err := checkEndpoint(endpoint); err != nil {
		mistakes = append(mistakes, fmt.Errorf("endpoint: %w", err))
	}
	// goca.NewConfig ends the process when both are empty and there is no ONE_AUTH file.
	if user == "" {
		mistakes = append(mistakes, errors.New("user: must not be empty"))
	}
	if password == "" {
		mistakes = append(mistakes, errors.New("password: must not be empty"))
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	config := goca.NewConfig(user, password, endpoint)
	return &Client{endpoint, goca.NewController(goca.NewClient(config, httpClient))}, nil
}

// checkEndpoint refuses credentials in the URL, because errors and logs repeat it.
func checkEndpoint(endpoint string) error {
	const rule = `must be an http(s) URL without credentials such as "https://one.example.org:2633/RPC2"`
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return errors.New(rule)
	}
	return nil
}

// Version asks for the version of the front-end: "7.0.0".
func (c *Client) Version(ctx context.Context) (string, error) {
	version, err := c.controller.SystemVersionContext(ctx)
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", c.endpoint, withCause(err))
	}
	return version, nil
}

// withCause makes the cause of a transport error visible to errors.Is, which goca's
// ClientError hides; so a cancelled context can be told from a front-end that is down.
func withCause(err error) error {
	var transport *gocaerrors.ClientError
	if !errors.As(err, &transport) || transport.Err == nil {
		return err
	}
	return fmt.Errorf("%s: %w", transport.Msg, transport.Err)
}
