package fetch

import (
	"errors"
	"fmt"
	"net/http"
)

// NewTransport returns the transport that New uses. Proxies are taken from the environment.
func NewTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// The checksum is that of the file, not of a compressed encoding of it.
	transport.DisableCompression = true
	return transport
}

// checkRedirect follows redirects as a browser would, with three exceptions. A redirect from
// https to http is refused, with a token or without: nothing else authenticates a payload that
// is not pinned yet. The token is sent only to the host and port it is for; net/http alone
// would also send it to subdomains and other ports. And no Referer is sent, because it would
// reveal the query of our URL.
func checkRedirect(request *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return permanentError{errors.New("the server redirects in circles")}
	}
	if via[len(via)-1].URL.Scheme == "https" && request.URL.Scheme != "https" {
		return permanentError{fmt.Errorf("the server redirects from https to %s, which proves nothing about the file", request.URL.Scheme)}
	}
	first := via[0].URL
	if request.URL.Host != first.Host || request.URL.Scheme != first.Scheme {
		request.Header.Del("Authorization")
	}
	request.Header.Del("Referer")
	return nil
}
