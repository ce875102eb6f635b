package fetch

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// permanentError marks a failed request that would fail again.
type permanentError struct{ error }

// failed classifies the error of a request that got no response.
func (p Payload) failed(err error) error {
	if errors.As(err, new(permanentError)) {
		return fmt.Errorf("%s: %w", p.shown(), err)
	}
	return retry.Temporary(err)
}

// refuse returns an error for every response that cannot be the file or a part of it.
func (p Payload) refuse(response *http.Response) error {
	switch code := response.StatusCode; {
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		after := parseRetryAfter(response.Header.Get("Retry-After"), time.Now())
		return &retry.TemporaryError{Err: fmt.Errorf("the server answered %s", response.Status), After: after}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("%s: the server answered %s: %s", p.shown(), response.Status, p.loginAdvice())
	case code == http.StatusRequestedRangeNotSatisfiable:
		return nil
	case code != http.StatusOK && code != http.StatusPartialContent:
		return fmt.Errorf("%s: the server answered %s: check the URL, and whether it wants a login",
			p.shown(), response.Status)
	}
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind == "text/html" {
		return fmt.Errorf("%s: the server answered with a web page, not with the file: use the direct download URL",
			p.shown())
	}
	return nil
}

func (p Payload) loginAdvice() string {
	if p.Token == "" {
		return "it wants a login: give a token that may read the file, or use another source"
	}
	return "it does not accept the token for this file: check that the token is valid, and that its owner was granted access (gated models want their terms accepted first)"
}

// accept prepares the part for the body of the response: appending to it, or from the start if
// the server does not continue the existing bytes.
func (d *part) accept(p Payload, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		from := originOf(response)
		if err := p.checkSize(from.Size); err != nil {
			return err
		}
		if from.Size == 0 {
			from.Size = p.Size
		}
		return d.begin(from)
	}
	span, sound := parseContentRange(response.Header.Get("Content-Range"))
	if why := d.mismatch(response, span, sound); why != "" {
		if err := d.restart(); err != nil {
			return err
		}
		return retry.Temporary(fmt.Errorf("the server cannot continue where the download was cut (%s), so it starts over", why))
	}
	d.resumed = true
	if d.Size > 0 || span.total < 0 {
		return nil
	}
	// The first answer did not say how long the file is. Without this, the end of a piece would
	// be taken for that of the file.
	d.Size = span.total
	return p.checkSize(d.Size)
}

// mismatch explains why a response other than 200 does not continue the existing bytes.
func (d *part) mismatch(response *http.Response, span contentRange, sound bool) string {
	switch tag := validatorOf(response.Header); {
	case response.StatusCode != http.StatusPartialContent:
		return response.Status
	case !sound:
		return "no sound Content-Range"
	case d.here == 0:
		return "a piece where the whole was asked for"
	case span.start != d.here:
		return fmt.Sprintf("it sends from byte %d, not %d", span.start, d.here)
	case span.total >= 0 && d.Size > 0 && span.total != d.Size:
		return fmt.Sprintf("the file has %d bytes now, not %d", span.total, d.Size)
	case tag != "" && d.Validator != "" && tag != d.Validator:
		return "the file has changed"
	}
	return ""
}

// checkSize compares the size the server announces with that in the lock file, before
// bandwidth is spent. 0 is unknown.
func (p Payload) checkSize(announced int64) error {
	if p.Size == 0 || announced == 0 || announced == p.Size {
		return nil
	}
	return checksumError{fmt.Errorf("%s has %d bytes, but the one that was pinned has %d: the source now holds another file",
		p.shown(), announced, p.Size)}
}
