package s3

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// explain adds what to do about an error response of the store. The codes are those of
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func (o Options) explain(err error) error {
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		return sourceuri.WithoutURL(err)
	}
	var advice string
	switch answer.Code {
	case "NoSuchBucket":
		advice = fmt.Sprintf("there is no bucket %q at %s: make it, or correct its name", o.Bucket, o.Endpoint)
	case "AccessDenied", "AllAccessDisabled", "UnauthorizedAccess":
		advice = fmt.Sprintf("the access key may not do this: in the bucket %q it needs s3:PutObject, s3:GetObject, s3:DeleteObject and s3:AbortMultipartUpload", o.Bucket)
	case "InvalidAccessKeyId":
		advice = "the store does not know the access key"
	case "SignatureDoesNotMatch":
		advice = "the secret key does not belong to the access key"
	case "ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired":
		advice = "the keys are temporary and have ended, or the session token is not theirs: get new ones"
	case "RequestTimeTooSkewed":
		advice = "the clock of this machine is more than 15 minutes from the store's: set it"
	case "AuthorizationHeaderMalformed", "InvalidRegion", "PermanentRedirect", "IllegalLocationConstraintException", "TemporaryRedirect":
		advice = fmt.Sprintf("the bucket %q is in another region than %q: set the region%s, and the endpoint of that region", o.Bucket, o.Region, quoted(answer.Region))
	case "EntityTooLarge", "QuotaExceeded", "XMinioStorageFull":
		advice = "the store has no room for it"
	}
	text := fmt.Sprintf("the store answered %s: %s", answer.Code, strings.TrimSuffix(answer.Message, "."))
	if advice != "" {
		text = advice + " (" + text + ")"
	}
	return answered{text, answer}
}

func quoted(region string) string {
	if region == "" {
		return ""
	}
	return fmt.Sprintf(" %q", region)
}

// answered is an explained error response.
type answered struct {
	text   string
	answer minio.ErrorResponse
}

func (a answered) Error() string { return a.text }
func (a answered) Unwrap() error { return a.answer }

// isTemporary reports whether a retry may succeed; other errors would be the same again.
func isTemporary(err error) bool {
	var answer minio.ErrorResponse
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusRequestTimeout, http.StatusTooManyRequests:
			return true
		}
		// AWS responds with 400 if a body was sent too slowly, or damaged on its way.
		switch answer.Code {
		case "RequestTimeout", "XAmzContentSHA256Mismatch", "BadDigest", "IncompleteBody":
			return true
		}
		return answer.StatusCode >= http.StatusInternalServerError && answer.StatusCode != http.StatusNotImplemented
	}
	var certificate *tls.CertificateVerificationError
	var failed *url.Error
	if errors.As(err, &certificate) || errors.Is(err, http.ErrSchemeMismatch) {
		return false
	}
	return errors.As(err, &failed) || errors.Is(err, errStalled)
}

// isMissing reports whether an object does not exist. A key that may not list the bucket gets
// an access error instead of "not found".
func isMissing(err error) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && (answer.Code == "NoSuchKey" || answer.Code == "AccessDenied")
}
