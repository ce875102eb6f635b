package s3

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

func TestMistakes(t *testing.T) {
	const (
		endpoint = "endpoint: must be http[s]://host[:port], without user, path and query"
		bucket   = "bucket: must be the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens"
		prefix   = "prefix: must not begin with a slash or have two in a row"
		odd      = "prefix: must not hold quotation marks, backslashes or control characters"
	)
	good := Options{Endpoint: "https://s3.example.org:9000/", Bucket: "my.images-1", Prefix: "a/b/", AccessKey: "a", SecretKey: "geheim"}
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"none":               {func(*Options) {}, ""},
		"no scheme":          {func(o *Options) { o.Endpoint = "s3.example.org" }, endpoint},
		"another scheme":     {func(o *Options) { o.Endpoint = "s3://bucket" }, endpoint},
		"endpoint with path": {func(o *Options) { o.Endpoint = "https://s3.example.org/bucket" }, endpoint},
		"endpoint with user": {func(o *Options) { o.Endpoint = "https://user:geheim@s3.example.org" }, endpoint},
		"no URL":             {func(o *Options) { o.Endpoint = "https://%zz" }, endpoint},
		"upper case":         {func(o *Options) { o.Bucket = "Images" }, bucket},
		"too short":          {func(o *Options) { o.Bucket = "ab" }, bucket},
		"two dots":           {func(o *Options) { o.Bucket = "a..b" }, bucket},
		"slash first":        {func(o *Options) { o.Prefix = "/a" }, prefix},
		"two slashes":        {func(o *Options) { o.Prefix = "a//b" }, prefix},
		"odd prefix":         {func(o *Options) { o.Prefix = "a\"b" }, odd},
		"all of them": {func(o *Options) { *o = Options{Prefix: "/\n"} },
			strings.Join([]string{endpoint, bucket, prefix, odd, "access_key: must be set", "secret_key: must be set"}, "; ")},
	} {
		t.Run(name, func(t *testing.T) {
			options := good
			c.change(&options)
			assert.Equal(t, c.want, transfer.Listed(options.Mistakes()))
		})
	}
}

func TestKey(t *testing.T) {
	file := transfer.File{Name: "x.qcow2"}
	for prefix, want := range map[string]string{"": "x.qcow2", "a": "a/x.qcow2", "a/b/": "a/b/x.qcow2"} {
		assert.Equal(t, want, Options{Prefix: prefix}.key(file))
	}
}

func FuzzEndpoint(f *testing.F) {
	f.Add("https://s3.example.org:9000/")
	f.Add("https://user:pw@host/path?query#fragment")
	f.Fuzz(func(t *testing.T, text string) {
		if !validEndpoint(text) {
			return
		}
		u, err := url.Parse(text)
		require.NoError(t, err)
		o := Options{Endpoint: text, Bucket: "images", AccessKey: "a", SecretKey: "b"}
		assert.Equal(t, u.Scheme+"://"+u.Host+"/images/x", strings.Replace(o.shown(transfer.File{Name: "x"}), text[:len(u.Scheme)], u.Scheme, 1))
	})
}
