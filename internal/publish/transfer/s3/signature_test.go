package s3

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// signature is what a request is signed with, by AWS Signature Version 4:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
type signature struct {
	accessKey, date, region, service, token string
	time, headers, payload, given           string
	// query is what is signed of it.
	query url.Values
}

func readSignature(r *http.Request) (signature, error) {
	query := r.URL.Query()
	fields := map[string]string{}
	if header, signed := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "); signed {
		for field := range strings.SplitSeq(header, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			fields[name] = value
		}
	} else {
		fields["Credential"], fields["SignedHeaders"], fields["Signature"] = query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature")
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 5 {
		return signature{}, errors.New("Anonymous access is forbidden.")
	}
	s := signature{accessKey: scope[0], date: scope[1], region: scope[2], service: scope[3], headers: fields["SignedHeaders"], given: fields["Signature"]}
	s.time = cmp.Or(query.Get("X-Amz-Date"), r.Header.Get("X-Amz-Date"))
	s.token = cmp.Or(query.Get("X-Amz-Security-Token"), r.Header.Get("X-Amz-Security-Token"))
	s.payload = cmp.Or(r.Header.Get("X-Amz-Content-Sha256"), "UNSIGNED-PAYLOAD")
	query.Del("X-Amz-Signature")
	s.query = query
	return s, nil
}

// expect computes the signature by the secret.
func (s signature) expect(r *http.Request, secret string) string {
	names := strings.Split(s.headers, ";")
	slices.Sort(names)
	var headers strings.Builder
	for _, name := range names {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = r.Header.Get("Content-Length")
		}
		headers.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	query := strings.ReplaceAll(s.query.Encode(), "+", "%20")
	request := strings.Join([]string{r.Method, r.URL.EscapedPath(), query, headers.String(), s.headers, s.payload}, "\n")
	sum := sha256.Sum256([]byte(request))
	scope := strings.Join([]string{s.date, s.region, s.service, "aws4_request"}, "/")
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", s.time, scope, hex.EncodeToString(sum[:])}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.date, s.region, s.service, "aws4_request", toSign} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}
