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
)

// tries is how often a call is made that gets no answer: with doubling pauses about a minute,
// in which an oned that was restarted is back.
const tries = 7

// lostError is a call that got no answer: it may have had its effect, or not.
type lostError struct {
	endpoint, method string
	cause            error
}

func (e *lostError) Error() string {
	return fmt.Sprintf("call %s of %s: no answer: %v", e.method, e.endpoint, e.cause)
}

func (e *lostError) Unwrap() error { return e.cause }

// read makes a call that changes nothing, again if there is no answer.
func (c *Client) read(ctx context.Context, method string, arguments ...any) (string, error) {
	response, err := c.repeat(ctx, method, arguments...)
	if err != nil {
		return "", err
	}
	return response.Body(), nil
}

// change makes a call that may be made twice with the same result, again if there is no
// answer.
func (c *Client) change(ctx context.Context, method string, arguments ...any) error {
	_, err := c.repeat(ctx, method, arguments...)
	return err
}

func (c *Client) repeat(ctx context.Context, method string, arguments ...any) (*goca.Response, error) {
	for try := 1; ; try++ {
		response, err := c.call(ctx, method, arguments...)
		if err := c.mayTryAgain(ctx, try, err); err != nil {
			return nil, err
		}
		if err == nil {
			return response, nil
		}
	}
}

// mayTryAgain returns err unless the call got no answer and there are tries left; then it
// pauses.
func (c *Client) mayTryAgain(ctx context.Context, try int, err error) error {
	var lost *lostError
	if !errors.As(err, &lost) || ctx.Err() != nil || try == tries {
		return err
	}
	pause := c.pause << (try - 1)
	c.say(fmt.Sprintf("%v; trying again in %s (%d of %d)", err, pause, try+1, tries))
	return sleep(ctx, pause)
}

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// call makes one call and sorts its errors: *RefusedError, *lostError, or another that no
// repetition would mend.
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
		return nil, &RefusedError{Code: int(refused.Code), Text: refused.Msg}
	}
	return nil, c.sortTransport(method, err)
}

// sortTransport tells what is lost from what is wrong. goca's error hides its cause.
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

// sortStatus closes the body, which goca leaves open. A proxy in front of oned answers for
// it while it restarts.
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
