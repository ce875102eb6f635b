package ociimage

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

// registryTransport logs in to a registry at the first request, so that a pull from the cache
// contacts no server.
type registryTransport struct {
	ref   reference
	token string
	inner http.RoundTripper

	mu       sync.Mutex
	loggedIn http.RoundTripper
}

func newTransport(ref reference, token string) *registryTransport {
	return &registryTransport{ref: ref, token: token, inner: noPlainHTTP{fetch.NewTransport()}}
}

func (t *registryTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	via, err := t.login(request)
	if err != nil {
		return refusal(request, err)
	}
	request = request.Clone(request.Context())
	if strings.Contains(request.URL.Path, "/manifests/") {
		request.Header.Set("Accept", acceptable)
	}
	response, err := via.RoundTrip(request)
	if err != nil {
		return refusal(request, err)
	}
	return response, nil
}

// acceptable are the manifest types this package reads. A registry that has only another type
// sends that, or status 404.
var acceptable = strings.Join([]string{
	string(types.OCIImageIndex), string(types.DockerManifestList),
	string(types.OCIManifestSchema1), string(types.DockerManifestSchema2),
}, ", ")

func (t *registryTransport) login(request *http.Request) (http.RoundTripper, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.loggedIn != nil {
		return t.loggedIn, nil
	}
	auth, err := t.credentials()
	if err != nil {
		return nil, err
	}
	scopes := []string{t.ref.Scope(transport.PullScope)}
	t.loggedIn, err = transport.NewWithContext(request.Context(), t.ref.Registry, auth, t.inner, scopes)
	return t.loggedIn, err
}

// credentials returns the token, or else the credentials stored by docker login, or else none.
func (t *registryTransport) credentials() (authn.Authenticator, error) {
	if t.token != "" {
		return authn.FromConfig(authn.AuthConfig{RegistryToken: t.token}), nil
	}
	auth, err := authn.DefaultKeychain.Resolve(t.ref.Registry)
	if err != nil {
		return nil, fmt.Errorf("read the credentials docker login left for %s: %w", t.ref.RegistryStr(), err)
	}
	return auth, nil
}

// refusal converts an error that was a response back to that response, so that
// internal/supply/fetch handles it like every other.
func refusal(request *http.Request, err error) (*http.Response, error) {
	var refused *transport.Error
	if !errors.As(err, &refused) {
		return nil, err
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", refused.StatusCode, http.StatusText(refused.StatusCode)),
		StatusCode: refused.StatusCode,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{},
		Body:    http.NoBody,
		Request: request,
	}, nil
}

// noPlainHTTP refuses unencrypted http, over which anybody on the network could read or change
// tokens and images. The underlying library would try http for private addresses.
type noPlainHTTP struct{ http.RoundTripper }

func (t noPlainHTTP) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != "https" && !fetch.IsLoopback(request.URL.Hostname()) {
		return nil, fmt.Errorf("%s does not speak https, and plain http is for this machine only", request.URL.Hostname())
	}
	return t.RoundTripper.RoundTrip(request)
}

// hostname removes the port.
func hostname(registry string) string {
	u := url.URL{Host: registry}
	return u.Hostname()
}
