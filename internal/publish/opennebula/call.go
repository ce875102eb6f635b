package opennebula

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/OpenNebula/one/src/oca/go/src/goca"
	gocaerrors "github.com/OpenNebula/one/src/oca/go/src/goca/errors"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// retries takes about a minute in total, enough for a restarting oned to come back.
var retries = retry.Policy{Failures: 7, Pause: time.Second, MaxPause: time.Minute}

// outageTime is after which no call is repeated: each of them may take minutes until it is
// given up, and seven of them half an hour.
const outageTime = 2 * time.Minute

// passing are the statuses of a server, or of a proxy before it, that will answer later.
var passing = []int{
	http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// lostError is a call that got no answer: it may or may not have had its effect.
type lostError struct {
	endpoint, method string
	cause            error
}

func (e *lostError) Error() string {
	return fmt.Sprintf("call %s of %s: no answer: %v", e.method, e.endpoint, e.cause)
}

func (e *lostError) Unwrap() error { return e.cause }

// read makes a call that changes nothing, and repeats it if there is no answer.
func (c *Client) read(ctx context.Context, method string, arguments ...any) (string, error) {
	response, err := c.repeat(ctx, method, arguments...)
	if err != nil {
		return "", err
	}
	return response.Body(), nil
}

// change makes an idempotent call, and repeats it if there is no answer.
func (c *Client) change(ctx context.Context, method string, arguments ...any) error {
	_, err := c.repeat(ctx, method, arguments...)
	return err
}

func (c *Client) repeat(ctx context.Context, method string, arguments ...any) (response *goca.Response, err error) {
	err = c.persist(ctx, method, func(ctx context.Context) (err error) {
		response, err = c.call(ctx, method, arguments...)
		return err
	})
	return response, err
}

// persist repeats an attempt that got no answer. An outage is waited out once: when a call
// has used up its retries, the calls after it are made once each, until one is answered.
func (c *Client) persist(ctx context.Context, method string, attempt func(context.Context) error) error {
	if c.down.Load() {
		return attempt(ctx)
	}
	var failed time.Time
	err := c.retries.Do(ctx, "call "+method, c.say, func(ctx context.Context) error {
		err := attempt(ctx)
		if !errors.As(err, new(*lostError)) {
			return err
		}
		if failed.IsZero() {
			failed = time.Now()
		} else if time.Since(failed) > c.outage {
			return err
		}
		return retry.Temporary(err)
	})
	if errors.As(err, new(*lostError)) {
		c.down.Store(true)
	}
	return err
}

// call makes one call and classifies its errors: *RefusedError, *lostError, or another one
// that no retry would fix.
func (c *Client) call(ctx context.Context, method string, arguments ...any) (*goca.Response, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("call %s: %w", method, err)
	}
	response, err := c.goca.CallContext(ctx, method, arguments...)
	if err == nil {
		c.isUp()
		return response, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, &lostError{c.endpoint, method, cause}
	}
	var refused *gocaerrors.ResponseError
	if errors.As(err, &refused) {
		c.isUp()
		return nil, c.refused(&RefusedError{Code: int(refused.Code), Text: withoutSecrets(refused.Msg)})
	}
	return nil, c.sortTransport(method, err)
}

func (c *Client) isUp() {
	c.answered.Store(true)
	c.down.Store(false)
}

// refused adds who is refused where if the front-end does not know the user.
func (c *Client) refused(err *RefusedError) error {
	if err.Code == gocaerrors.OneAuthenticationError {
		return fmt.Errorf("log in to %s as user %q: %w", c.endpoint, c.user, err)
	}
	return err
}

// sortTransport distinguishes lost calls from other transport errors. goca's error hides its
// cause.
func (c *Client) sortTransport(method string, err error) error {
	var transport *gocaerrors.ClientError
	if !errors.As(err, &transport) {
		return fmt.Errorf("call %s of %s: %w", method, c.endpoint, err)
	}
	cause := transport.Err
	if cause == nil {
		cause = errors.New(transport.Msg)
	}
	switch transport.Code {
	case gocaerrors.ClientReqHTTP:
		return c.sortConnection(method, cause)
	case gocaerrors.ClientRespHTTP:
		return c.sortStatus(method, transport.HttpResp, cause)
	case gocaerrors.ClientRespXMLRPCFault:
		return fmt.Errorf("call %s of %s: %w", method, c.endpoint, cause)
	}
	return fmt.Errorf("call %s of %s: the answer is not one of OpenNebula's API: %s: %w; the path of the URL must be /RPC2",
		method, c.endpoint, transport.Msg, cause)
}

// sortConnection finds out which failures of a connection do not pass.
func (c *Client) sortConnection(method string, cause error) error {
	var certificate *tls.CertificateVerificationError
	var dial *net.OpError
	switch {
	case errors.As(cause, &certificate):
		return fmt.Errorf("call %s of %s: %w; name the authority that signed it as ca_file", method, c.endpoint, cause)
	case errors.Is(cause, http.ErrSchemeMismatch), errors.As(cause, new(tls.RecordHeaderError)):
		return fmt.Errorf("call %s of %s: %w; oned itself speaks no TLS: use http, or the port of the proxy that does", method, c.endpoint, cause)
	case !c.answered.Load() && errors.As(cause, &dial) && dial.Op == "dial":
		return fmt.Errorf("call %s of %s: %w; check host and port of the endpoint, and that oned runs there", method, c.endpoint, cause)
	}
	return &lostError{c.endpoint, method, cause}
}

// sortStatus closes the body, which goca leaves open. While oned restarts, a proxy in front of
// it answers in its place.
func (c *Client) sortStatus(method string, response *http.Response, cause error) error {
	if response == nil {
		return &lostError{c.endpoint, method, cause}
	}
	_ = response.Body.Close()
	if response.StatusCode < 300 || slices.Contains(passing, response.StatusCode) {
		return &lostError{c.endpoint, method, cause}
	}
	return fmt.Errorf("call %s of %s: HTTP status %s: no API of OpenNebula is there; check host and port, and the path of the URL must be /RPC2", method, c.endpoint, response.Status)
}
