package s3

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

// Options say which bucket, and by whose keys.
type Options struct {
	// Endpoint is http[s]://host[:port], as "https://s3.eu-central-1.amazonaws.com".
	Endpoint string
	// Region may be empty: then the store is asked.
	Region string
	Bucket string
	// Prefix goes before the name of an image, and a slash between them. It may be empty.
	Prefix string

	AccessKey string
	SecretKey string
	// SessionToken belongs to temporary keys. URLs that they sign end with them.
	SessionToken string

	// CAFile holds PEM certificates by which the endpoint is trusted besides those of the
	// system. It may be empty.
	CAFile string
}

// bucketPattern is AWS's rule for general purpose buckets, which others have taken over:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// Mistakes are all that can be told without looking at a file or at the network. Each
// begins with the name of its field in a template, and none repeats a secret.
func (o Options) Mistakes() []error {
	var fields fieldcheck.Fields
	fields.Expect(validEndpoint(o.Endpoint), "endpoint", `must be http[s]://host[:port], without user, path and query`)
	fields.Expect(bucketPattern.MatchString(o.Bucket) && !strings.Contains(o.Bucket, ".."),
		"bucket", "must be the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens")
	fields.Expect(!strings.HasPrefix(o.Prefix, "/") && !strings.Contains(o.Prefix, "//"), "prefix", "must not begin with a slash or have two in a row")
	fields.Expect(transfer.NamesPath(o.Prefix), "prefix", "must not hold quotation marks, backslashes or control characters")
	fields.Check("access_key", o.AccessKey, fieldcheck.Set)
	fields.Check("secret_key", o.SecretKey, fieldcheck.Set)
	return fields.Mistakes()
}

func validEndpoint(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil &&
		(u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == ""
}

// key is the name of the object.
func (o Options) key(file transfer.File) string {
	if o.Prefix == "" {
		return file.Name
	}
	return strings.TrimSuffix(o.Prefix, "/") + "/" + file.Name
}

// shown is where the object lies, for people: without what a signed URL adds.
func (o Options) shown(file transfer.File) string {
	return strings.TrimSuffix(o.Endpoint, "/") + "/" + o.Bucket + "/" + o.key(file)
}
