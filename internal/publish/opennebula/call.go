package opennebula

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/OpenNebula/one/src/oca/go/src/goca"
	gocaerrors "github.com/OpenNebula/one/src/oca/go/src/goca/errors"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// retries takes about a minute in total, enough for a restarting oned to come back.
var retries = retry.Policy{Failures: 7, Pause: time.Second, MaxPause: time.Minute}

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
	err = c.retries.Do(ctx, "call "+method, c.say, func(ctx context.Context) error {
		var err error
		response, err = c.call(ctx, method, arguments...)
		return temporary(err)
	})
	return response, err
}

// temporary marks a call that got no answer as retryable.
func temporary(err error) error {
	if errors.As(err, new(*lostError)) {
		return retry.Temporary(err)
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
		return response, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, &lostError{c.endpoint, method, cause}
	}
	var refused *gocaerrors.ResponseError
	if errors.As(err, &refused) {
		return nil, c.refused(&RefusedError{Code: int(refused.Code), Text: refused.Msg})
	}
	return nil, c.sortTransport(method, err)
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
	var certificate *tls.CertificateVerificationError
	switch transport.Code {
	case gocaerrors.ClientReqHTTP:
		if errors.As(cause, &certificate) {
			return fmt.Errorf("call %s of %s: %w; name the authority that signed it as ca_file", method, c.endpoint, cause)
		}
		return &lostError{c.endpoint, method, cause}
	case gocaerrors.ClientRespHTTP:
		return c.sortStatus(method, transport.HttpResp, cause)
	case gocaerrors.ClientRespXMLRPCFault:
		return fmt.Errorf("call %s of %s: %w", method, c.endpoint, cause)
	}
	return fmt.Errorf("call %s of %s: the answer is not one of OpenNebula's API: %s: %w; the path of the URL must be /RPC2",
		method, c.endpoint, transport.Msg, cause)
}

// sortStatus closes the body, which goca leaves open. While oned restarts, a proxy in front of
// it answers in its place.
func (c *Client) sortStatus(method string, response *http.Response, cause error) error {
	if response == nil {
		return &lostError{c.endpoint, method, cause}
	}
	_ = response.Body.Close()
	if response.StatusCode < 300 || response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
		return &lostError{c.endpoint, method, cause}
	}
	return fmt.Errorf("call %s of %s: HTTP status %s; the path of the URL must be /RPC2", method, c.endpoint, response.Status)
}
