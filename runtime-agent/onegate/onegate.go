// Package onegate reports to OpenNebula how the virtual machine is doing, through OneGate: the
// values appear in the user template of the machine, for everybody who may see it.
package onegate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// Names of the attributes. OneFlow waits for ReadyAttribute to be exactly YES.
const (
	ReadyAttribute    = "READY"
	EndpointAttribute = appliance.Prefix + "ENDPOINT"
	ModelAttribute    = appliance.Prefix + "MODEL"
)

// attempts that are slow, and the pauses between them, end within the ten seconds that
// OneGate may cost a start.
var attempts = retry.Policy{Failures: 3, Pause: 400 * time.Millisecond, MaxPause: 400 * time.Millisecond}

const (
	attemptTimeout = 3 * time.Second
	// maxReason is how much of an answer is repeated in an error, in bytes.
	maxReason = 200
)

// Client reports for one machine. A nil Client does nothing.
type Client struct {
	// Endpoint is the URL of OneGate, such as "http://169.254.16.9:5030".
	Endpoint string
	// Token proves that it is this machine that speaks. It is a secret.
	Token string
	VMID  string
	HTTP  *http.Client
}

// New returns nil unless everything that is needed is known. It is not an error: OneGate is
// an option of the cloud, and TOKEN=YES one of the template.
func New(endpoint, token, vmID string) *Client {
	if endpoint == "" || token == "" || vmID == "" {
		return nil
	}
	return &Client{Endpoint: endpoint, Token: token, VMID: vmID, HTTP: &http.Client{
		Timeout:   attemptTimeout,
		Transport: &http.Transport{DisableKeepAlives: true},
		// A redirect would carry the token to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// NotReady is what a machine reports when it starts: READY=YES outlives a power-off.
func NotReady() map[string]string {
	return map[string]string{ReadyAttribute: "NO"}
}

// Ready is what a machine reports once a token came through. A value OneGate would mangle,
// such as an endpoint with an IPv6 address in brackets, is left out: readiness matters more.
func Ready(endpoint, model string) map[string]string {
	pairs := map[string]string{ReadyAttribute: "YES"}
	for name, value := range map[string]string{EndpointAttribute: endpoint, ModelAttribute: model} {
		if plain(value) {
			pairs[name] = value
		}
	}
	return pairs
}

// plain says whether OneGate stores a value as it is. It puts quotes around values itself
// and trips over those characters (escape_attr of onegate-server.rb, 6.4 to 7.4).
func plain(value string) bool {
	return value != "" && !strings.ContainsAny(value, ",[]\\'\"") && !strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Report merges pairs into the user template. It makes a few attempts and ends within ten
// seconds; say hears of each that is followed by another, the error says what to look at.
// A failure changes nothing on this machine, so it is worth a warning and no more.
func (c *Client) Report(ctx context.Context, pairs map[string]string, say func(string)) error {
	if c == nil {
		return nil
	}
	body, err := encode(pairs)
	if err != nil {
		return err
	}
	err = attempts.Do(ctx, "the report", say, func(ctx context.Context) error { return c.put(ctx, body) })
	if err != nil {
		return fmt.Errorf("report to OneGate at %s: %w", c.Endpoint, err)
	}
	return nil
}

// encode writes a form, as the stock client does: the server looks for the field "data"
// before it reads a raw body, which is consumed by then if it has the form's content type.
// Type 1 merges.
func encode(pairs map[string]string) (string, error) {
	var lines []string
	var mistakes []error
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		if !plain(pairs[name]) {
			mistakes = append(mistakes, fmt.Errorf("report %s to OneGate: the value %q is not accepted: it must be printable ASCII without blanks, quotes, backslashes, commas and square brackets", name, pairs[name]))
		}
		lines = append(lines, name+"="+pairs[name])
	}
	return url.Values{"data": {strings.Join(lines, "\n")}, "type": {"1"}}.Encode(), errors.Join(mistakes...)
}

// put makes one attempt.
func (c *Client) put(ctx context.Context, body string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, strings.TrimRight(c.Endpoint, "/")+"/vm", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-ONEGATE-TOKEN", c.Token)
	request.Header.Set("X-ONEGATE-VMID", c.VMID)
	response, err := c.HTTP.Do(request)
	if err != nil {
		return retry.Temporary(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	reason, _ := io.ReadAll(io.LimitReader(response.Body, maxReason))
	err = fmt.Errorf("HTTP %d%s: %q", response.StatusCode, advice[response.StatusCode], strings.TrimSpace(string(reason)))
	if response.StatusCode >= http.StatusInternalServerError {
		return retry.Temporary(err)
	}
	return err
}

// advice says for a status what to look at.
var advice = map[int]string{
	http.StatusUnauthorized: ", the token is not accepted",
	http.StatusForbidden:    ", the cloud does not allow this (onegate-server.conf: permissions and restricted_attrs)",
	http.StatusNotFound:     ", OneGate does not know this machine, or the endpoint is not OneGate",
}
