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

// CheckRedirect follows redirects as a browser would, with four exceptions. A redirect from
// https to http is refused, with a token or without: nothing else authenticates a payload that
// is not pinned yet. One to anything but http and https is not a download. The token is sent
// only to the host and port it is for; net/http alone would also send it to subdomains and other
// ports. And no Referer is sent, because it would reveal the query of our URL.
func CheckRedirect(request *http.Request, via []*http.Request) error {
	switch from, to := via[len(via)-1].URL.Scheme, request.URL.Scheme; {
	case len(via) >= 10:
		return permanentError{errors.New("the server redirects in circles")}
	case from == "https" && to != "https":
		return permanentError{fmt.Errorf("the server redirects from https to %s, which proves nothing about the file", to)}
	case to != "http" && to != "https":
		return permanentError{fmt.Errorf("the server redirects from %s to %s, which is not downloaded from", from, to)}
	}
	first := via[0].URL
	if request.URL.Host != first.Host || request.URL.Scheme != first.Scheme {
		request.Header.Del("Authorization")
	}
	request.Header.Del("Referer")
	return nil
}
