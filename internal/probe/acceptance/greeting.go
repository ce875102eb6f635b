package acceptance

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// Greeting is what an appliance says of itself.
type Greeting struct {
	// Models are the ids of those it offers, at least one.
	Models []string
	// Version is the value of appliance.HeaderAppliance, "" if there is none.
	Version string
}

// Greet asks for the list of models. An error is what nearly every check would fail for: nobody is there, the
// certificate or the password is wrong, or what answers is no appliance.
func (t *Target) Greet(ctx context.Context) (Greeting, error) {
	greeting, err := t.greet(ctx)
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		err = fmt.Errorf("%w; pass its root certificate with --ca, or its fingerprint, root_sha256 in the report of the appliance, with --pin", err)
	}
	if err != nil {
		return Greeting{}, fmt.Errorf("ask %s for its models: %w", t.BaseURL(), err)
	}
	return greeting, nil
}

func (t *Target) greet(ctx context.Context) (Greeting, error) {
	answer, err := t.ask(ctx, http.MethodGet, appliance.PathModels, t.authorized)
	if err != nil {
		return Greeting{}, err
	}
	if answer.status == http.StatusUnauthorized {
		return Greeting{}, errors.New("the password is wrong (status 401); `slm-copilot report` on the appliance shows the right one")
	}
	var list struct {
		Data []model `json:"data"`
	}
	if err := json.Unmarshal(answer.body, &list); err != nil {
		return Greeting{}, fmt.Errorf("it answers with Content-Type %q, status %d, and not with JSON: this is not the address of an appliance, or a proxy before it answers in its place",
			answer.header.Get("Content-Type"), answer.status)
	}
	if err := answer.expect(http.StatusOK); err != nil {
		return Greeting{}, err
	}
	if len(list.Data) == 0 {
		return Greeting{}, errors.New("it lists none")
	}
	return Greeting{ids(list.Data), answer.header.Get(appliance.HeaderAppliance)}, nil
}

// PinnedRoot returns the certificate with a SHA-256 fingerprint, which can be trusted in place of a CA: the one of
// those that the HTTPS port shows, or else the root that the HTTP port offers. Nothing secret is sent.
func (t *Target) PinnedRoot(ctx context.Context, fingerprint [sha256.Size]byte) (*x509.Certificate, error) {
	state, err := handshake(ctx, t, &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: true}) //nolint:gosec // the certificate is only looked at
	if err != nil {
		return nil, fmt.Errorf("look for the pinned certificate at %s: %w", t.HTTPS, err)
	}
	offered, unoffered := FetchRoot(ctx, t.HTTP)
	if offered != nil {
		state.PeerCertificates = append(state.PeerCertificates, offered)
	}
	for _, certificate := range state.PeerCertificates {
		if sha256.Sum256(certificate.Raw) == fingerprint {
			return certificate, nil
		}
	}
	err = fmt.Errorf("none of the certificates of %s has the fingerprint %X that is pinned", t.HTTPS, fingerprint)
	if unoffered != nil {
		err = fmt.Errorf("%w, and its root could not be had: %w", err, unoffered)
	}
	return nil, err
}
