package acceptance

import (
	"crypto/sha256"
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGreet(t *testing.T) {
	target := fake{https: edited("/v1/models", func(h http.Header) { h.Set("X-Copilot-Appliance", "slm-copilot/1.0.0") })}.start(t)
	greeting, err := target.Greet(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Greeting{[]string{modelID}, "slm-copilot/1.0.0"}, greeting)
}

// What is wrong with the question is told once, and says what to do.
func TestWhoCannotBeAsked(t *testing.T) {
	other := newAuthority(t)
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		status(200, "<!doctype html>")(w, nil)
	}
	for want, broken := range map[string]fake{
		"the password is wrong (status 401)":                   {https: refusing("Authorization", "Bearer")},
		`it answers with Content-Type "text/html", status 200`: {https: on("/v1/models", page)},
		"it lists none": {https: on("/v1/models", status(200, `{"data":[]}`))},
		`expected status 200, got 503: "{\"error\":{\"message\"`: {https: on("/v1/models", func(w http.ResponseWriter, _ *http.Request) { openAIError(w, 503, "loading") })},
		"root_sha256 in the report of the appliance, with --pin": {tls: func(c *tls.Config) { c.Certificates[0] = other.leaf(t, []string{"127.0.0.1"}) }},
		"not 127.0.0.1": {names: []string{"10.0.2.15"}},
	} {
		t.Run(want, func(t *testing.T) {
			target := broken.start(t)
			_, err := target.Greet(t.Context())
			require.ErrorContains(t, err, want)
			assert.ErrorContains(t, err, "ask "+target.BaseURL())
			assert.NotContains(t, err.Error(), rightPassword)
		})
	}
}

func TestPinnedRoot(t *testing.T) {
	// The fake shows its own certificate alone and offers the root at /ca.pem.
	target := fake{}.start(t)
	root, err := target.PinnedRoot(t.Context(), sha256.Sum256(target.Root.Raw))
	require.NoError(t, err)
	assert.True(t, root.Equal(target.Root))

	public := newAuthority(t)
	leaf := public.leaf(t, []string{"127.0.0.1"})
	chain := fake{tls: func(c *tls.Config) {
		c.Certificates[0] = leaf
		c.Certificates[0].Certificate = append(c.Certificates[0].Certificate, public.certificate.Raw)
	}}.start(t)
	chain.HTTP = "127.0.0.1:1"
	for _, raw := range [][]byte{public.certificate.Raw, leaf.Certificate[0]} {
		found, err := chain.PinnedRoot(t.Context(), sha256.Sum256(raw))
		require.NoError(t, err)
		chain.Root = found
		_, err = chain.Greet(t.Context())
		assert.NoError(t, err)
	}

	_, err = chain.PinnedRoot(t.Context(), sha256.Sum256(target.Root.Raw))
	assert.ErrorContains(t, err, "none of the certificates of "+chain.HTTPS)
	assert.ErrorContains(t, err, "connection refused")

	// Whoever shows the pinned certificate beside one that it has not signed is not trusted.
	impostor := fake{tls: func(c *tls.Config) {
		c.Certificates[0].Certificate = append(c.Certificates[0].Certificate, public.certificate.Raw)
	}}.start(t)
	impostor.Root, err = impostor.PinnedRoot(t.Context(), sha256.Sum256(public.certificate.Raw))
	require.NoError(t, err)
	_, err = impostor.Greet(t.Context())
	assert.ErrorContains(t, err, "certificate signed by unknown authority")
}
