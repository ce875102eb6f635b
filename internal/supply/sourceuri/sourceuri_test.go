package sourceuri

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestURL(t *testing.T) {
	for source, want := range map[string]string{
		"https://example.org/a/b.gguf":                               "https://example.org/a/b.gguf",
		"https://user:secret@example.org:8443/b?token=secret#secret": "https://example.org:8443/b",
		"http://example.org/b?":                                      "http://example.org/b",
		"https://example.org/a%20b":                                  "https://example.org/a%20b",
		"/srv/model.gguf":                                            "",
		"file:///srv/model.gguf":                                     "",
		"oci://quay.io/x":                                            "",
		"https://%zz":                                                "",
		"https:///x":                                                 "",
		"":                                                           "",
	} {
		assert.Equal(t, want, URL(source), source)
	}
}

func TestPassword(t *testing.T) {
	for source, want := range map[string]string{
		"https://user:secret@example.org/x": "secret", "https://user@example.org/x": "", "https://example.org/x": "",
		"https://user:%zz@example.org/x": "", "/srv/model.gguf": "", "": "",
	} {
		assert.Equal(t, want, Password(source), source)
	}
}

func TestShown(t *testing.T) {
	for source, want := range map[string]string{
		"https://user:secret@example.org/x?token=secret": "https://example.org/x",
		"/srv/images/base.qcow2":                         "base.qcow2",
		"payload/model.gguf":                             "model.gguf",
		"ubuntu-24.04":                                   "ubuntu-24.04",
	} {
		assert.Equal(t, want, Shown(source), source)
	}
}

func TestStrip(t *testing.T) {
	for text, want := range map[string]string{
		"32768":                             "32768",
		"/srv/images/base.qcow2":            "base.qcow2",
		"../a?b":                            "../a?b",
		"s3://key:secret@bucket/x?y=secret": "s3://bucket/x",
		"https://user:se%cret@example.org/": "https://...",
		"oci://user:secret@quay.io/x:v1":    "oci://quay.io/x:v1",
		"https://example.org/x#secret":      "https://example.org/x",
		"https://user:secret@[::1]:5000/x":  "https://[::1]:5000/x",
	} {
		assert.Equal(t, want, Strip(text), text)
	}
}

func TestOCI(t *testing.T) {
	digest, other := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	for _, c := range []struct{ source, digest, want string }{
		{"oci://quay.io/go-skynet/local-ai-backends:v4.9.0-cpu-llama-cpp", digest,
			"pkg:oci/local-ai-backends@" + digest + "?repository_url=quay.io/go-skynet/local-ai-backends&tag=v4.9.0-cpu-llama-cpp"},
		{"oci://quay.io/x@" + other, digest, "pkg:oci/x@" + other + "?repository_url=quay.io/x"},
		{"oci://quay.io/x:v1@" + other, "", "pkg:oci/x@" + other + "?repository_url=quay.io/x&tag=v1"},
		{"oci://127.0.0.1:5000/a/X", "", "pkg:oci/x?repository_url=127.0.0.1:5000/a/X"},
		{"oci://user:secret@quay.io/x:v1?secret", "", "pkg:oci/x?repository_url=quay.io/x&tag=v1"},
		{"https://quay.io/x", digest, ""},
		{"/srv/backend.tar", digest, ""},
	} {
		assert.Equal(t, c.want, OCI(c.source, c.digest), c.source)
	}
}

func TestEscape(t *testing.T) {
	assert.Equal(t, "1:2.0~rc1%2Bdfsg-1_a%2Fb%20%C3%A4", Escape("1:2.0~rc1+dfsg-1_a/b ä"))
}

func FuzzNoSecretIsLeft(f *testing.F) {
	f.Add("https", "example.org/x", "v1")
	f.Add("oci", "quay.io/x/y", "v1")
	f.Fuzz(func(t *testing.T, scheme, rest, tag string) {
		const secret = "s3cr3tW0rd"
		if strings.ContainsAny(scheme, ":/?#") {
			return
		}
		source := scheme + "://" + secret + ":" + secret + "@" + rest + ":" + tag + "?" + secret + "#" + secret
		for _, public := range []string{URL(source), Strip(source)} {
			require.NotContains(t, public, secret)
		}
		locator := OCI("oci://"+secret+":"+secret+"@quay.io/x?"+secret, "")
		require.NotContains(t, locator, secret)
		_, err := url.Parse(OCI("oci://"+rest, tag))
		require.NoError(t, err)
	})
}

func TestWithoutURL(t *testing.T) {
	cause := errors.New("connection refused")
	failed := &url.Error{Op: "Get", URL: "https://example.org/?X-Amz-Signature=abc", Err: cause}
	assert.Equal(t, cause, WithoutURL(failed))
	assert.Equal(t, cause, WithoutURL(fmt.Errorf("ask: %w", failed)))
	assert.Equal(t, cause, WithoutURL(cause))
}
