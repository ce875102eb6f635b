package s3

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

// Options are the bucket and the keys to it.
type Options struct {
	// Endpoint is http[s]://host[:port], such as "https://s3.eu-central-1.amazonaws.com".
	Endpoint string
	// Region may be empty: the store is asked for it then.
	Region string
	Bucket string
	// Prefix is put before the name of an image, separated by a slash. It may be empty.
	Prefix string

	AccessKey string
	SecretKey string
	// SessionToken belongs to temporary keys. URLs signed with them expire with them.
	SessionToken string

	// CAFile contains PEM certificates to trust for the endpoint, in addition to those of the
	// system. It may be empty.
	CAFile string
}

// bucketPattern is AWS's rule for general purpose buckets, which other stores have adopted:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// Mistakes returns everything that is wrong with the options, without reading a file or using
// the network. Each begins with the name of its field in a template, and none contains a
// secret.
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

// key is the name of the object in the bucket.
func (o Options) key(file transfer.File) string {
	if o.Prefix == "" {
		return file.Name
	}
	return strings.TrimSuffix(o.Prefix, "/") + "/" + file.Name
}

// shown is the location of the object for messages: without the signature of a signed URL.
func (o Options) shown(file transfer.File) string {
	return strings.TrimSuffix(o.Endpoint, "/") + "/" + o.Bucket + "/" + o.key(file)
}
