package payloads

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// told is what a publisher states about a file without sending it. Digests are in lower-case
// hexadecimal, and empty if not stated.
type told struct {
	sha256, sha512 string
	// size is in bytes, 0 if not stated.
	size int64
	// by is where it was stated.
	by string
}

// patience is the timeout of one request: a response is a few kilobytes.
const patience = 30 * time.Second

// publisher requests what is known about a file.
type publisher struct {
	client *http.Client
}

func newPublisher() *publisher {
	return &publisher{client: &http.Client{Timeout: patience, CheckRedirect: fetch.CheckRedirect}}
}

// ask returns what the publisher of an http(s) source states about it.
func (p *publisher) ask(ctx context.Context, input lockfile.Input, token string) (told, error) {
	answer, err := p.header(ctx, input.Source, token)
	if err != nil || answer.sha256 != "" {
		return answer, err
	}
	for _, list := range lists(input) {
		inList, err := p.list(ctx, input.Source, list)
		if err != nil || inList.by != "" {
			inList.size = answer.size
			return inList, err
		}
	}
	return answer, nil
}

// header asks for the header of the file. Hugging Face states in it the SHA-256 and the size of
// the file before it redirects to the content; others state the size at best. Some servers refuse
// HEAD for what they serve (signed URLs are for one method), so only the answer to GET
// decides whether the file can be had.
func (p *publisher) header(ctx context.Context, source, token string) (told, error) {
	answer, err := p.request(ctx, http.MethodHead, source, token)
	if err != nil {
		return p.request(ctx, http.MethodGet, source, token)
	}
	return answer, nil
}

// request returns what the header of an answer states, or an error if the answer is a refusal.
func (p *publisher) request(ctx context.Context, method, source, token string) (told, error) {
	request, err := http.NewRequestWithContext(ctx, method, source, nil)
	if err != nil {
		return told{}, errors.New("is not a URL that can be read")
	}
	if token != "" {
		if err := mayCarryToken(request.URL); err != nil {
			return told{}, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// Redirects are not followed: the other host needs no token, and states less.
	client := *p.client
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if !sameServer(next.URL, request.URL) || len(via) > 5 {
			return http.ErrUseLastResponse
		}
		return nil
	}
	response, err := client.Do(request)
	if err != nil {
		return told{}, sourceuri.WithoutURL(err)
	}
	response.Body.Close()
	switch code := response.StatusCode; {
	case code == http.StatusTooManyRequests, code >= 500:
		return told{}, fmt.Errorf("%s answered %s: try again later", request.URL.Host, response.Status)
	case code >= 400:
		return told{}, fmt.Errorf("%s answered %s: check the address, and whether it wants a token", request.URL.Host, response.Status)
	}
	return fromHeader(response), nil
}

func fromHeader(response *http.Response) told {
	answer := told{}
	if response.StatusCode == http.StatusOK {
		answer.size = max(response.ContentLength, 0)
	}
	digits := strings.Trim(response.Header.Get("X-Linked-Etag"), `"`)
	if !digest.IsSHA256(digits) {
		return answer
	}
	answer.sha256, answer.by = strings.ToLower(digits), "the header X-Linked-Etag"
	if size, err := strconv.ParseInt(response.Header.Get("X-Linked-Size"), 10, 64); err == nil && size > 0 {
		answer.size = size
	}
	return answer
}

func sameServer(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// mayCarryToken allows a token to be sent only over TLS or to this machine.
func mayCarryToken(u *url.URL) error {
	if u.Scheme == "https" || fetch.IsLoopback(u.Hostname()) {
		return nil
	}
	return errors.New("the token would cross the network in clear text: use https")
}
