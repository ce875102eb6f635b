package ociimage

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestReferences(t *testing.T) {
	digest := digestOf(nil)
	for source, want := range map[string]string{
		"oci://quay.io/go-skynet/local-ai-backends:v4.9.0-cpu-llama-cpp": "https://quay.io/v2/go-skynet/local-ai-backends/manifests/v4.9.0-cpu-llama-cpp",
		"oci://docker.io/localai/localai-backends:v1":                    "https://index.docker.io/v2/localai/localai-backends/manifests/v1",
		"oci://quay.io/a/b":              "https://quay.io/v2/a/b/manifests/latest",
		"oci://quay.io/a/b:v1@" + digest: "https://quay.io/v2/a/b/manifests/v1",
		"oci://127.0.0.1:5000/a/b:v1":    "http://127.0.0.1:5000/v2/a/b/manifests/v1",
		"oci://localhost:5000/a/b:v1":    "http://localhost:5000/v2/a/b/manifests/v1",
		"oci://10.0.0.1:5000/a/b:v1":     "https://10.0.0.1:5000/v2/a/b/manifests/v1",
	} {
		assert.True(t, IsReference(source), source)
		assert.NoError(t, CheckReference(source), source)
		ref, _ := parseReference(source)
		assert.Equal(t, want, ref.url("manifests", ref.tag))
	}
	shape := `must be "oci://registry/repository[:tag][@sha256:...]", with the host name of the registry`
	for source, want := range map[string]string{
		"oci://":                      shape,
		"oci://quay.io":               shape,
		"oci://quay.io/":              shape,
		"oci://library/ubuntu:24.04":  shape,
		"oci://quay.io/A/b":           shape,
		"oci://quay.io/a/b:":          shape,
		"oci://quay.io/a/b?x=geheim":  shape,
		"oci://quay.io/a/b@sha256:00": `the digest after @ must be "sha256:" and 64 hexadecimal digits`,
		"oci://quay.io/a/b@none":      `the digest after @ must be "sha256:" and 64 hexadecimal digits`,
		"oci://me:geheim@quay.io/a/b": "must hold no user and no password: log in with docker login, or give a token",
	} {
		assert.EqualError(t, CheckReference(source), want, source)
	}
	assert.False(t, IsReference("https://quay.io/a/b"))
	assert.False(t, IsReference("/srv/backend"))
}

func TestContradictingDigests(t *testing.T) {
	p, _ := newPuller(t)
	one, two := digestOf([]byte("1")), digestOf([]byte("2"))
	_, err := p.Pull(t.Context(), Request{Field: "backend", Source: "oci://quay.io/a/b@" + one, Digest: two, Arch: "amd64"})
	assert.EqualError(t, err, "backend.source: names "+one+", but "+two+" was asked for: remove one, or make them equal")
	_, err = p.open(Request{Field: "backend", Source: "oci://quay.io/a/b@" + one, Digest: "sha256:" + strings.ToUpper(one[7:])})
	assert.NoError(t, err)
	_, err = p.Pull(t.Context(), Request{Field: "backend", Source: "oci://quay.io/a/b", Digest: "none", Arch: "amd64"})
	assert.EqualError(t, err, `backend.checksum: must be "sha256:" and 64 hexadecimal digits`)
}

// What passes becomes a URL on the registry named, below its repository.
func FuzzReference(f *testing.F) {
	f.Add("oci://quay.io/a/b:v1@" + digestOf(nil))
	f.Add("oci://[::1]:5000/a/../b:v1")
	f.Add("oci://a.b/c#d")
	f.Fuzz(func(t *testing.T, source string) {
		ref, err := parseReference(source)
		if err != nil {
			return
		}
		u, err := url.Parse(ref.url("manifests", ref.tag))
		if err != nil {
			t.Fatalf("%q: %v", source, err)
		}
		wanted := "/v2/" + ref.RepositoryStr() + "/manifests/" + ref.tag
		host := strings.Replace(u.Host, "index.docker.io", "docker.io", 1)
		named := strings.HasPrefix(source, scheme+u.Host+"/") || strings.HasPrefix(source, scheme+host+"/")
		if !named || u.Path != wanted || u.RawQuery != "" || u.User != nil {
			t.Fatalf("%q became %s", source, u)
		}
		if ref.digest != "" && (len(ref.digest) != 71 || strings.Trim(ref.digest[7:], "0123456789abcdef") != "") {
			t.Fatalf("%q has the digest %q", source, ref.digest)
		}
	})
}
