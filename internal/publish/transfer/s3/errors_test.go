package s3

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/recordertest"
)

var putOptions = minio.PutObjectOptions{}

func TestRefusals(t *testing.T) {
	deny := func(status int, code, more string) func(*store) {
		return func(s *store) {
			s.fault = func(w http.ResponseWriter, r *http.Request) bool {
				refuse(w, status, code, "No.", more)
				return true
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*store)
		want   string
	}{
		"no such bucket": {func(s *store) { s.options.Bucket = "other" },
			`there is no bucket "other" at `},
		"access denied": {deny(http.StatusForbidden, "AccessDenied", ""),
			`the access key may not do this: in the bucket "images" it needs s3:PutObject, s3:GetObject, s3:DeleteObject and s3:AbortMultipartUpload (the store answered AccessDenied: No)`},
		"unknown key": {func(s *store) { s.options.AccessKey = "AKIAOTHER" },
			"the store does not know the access key (the store answered InvalidAccessKeyId: "},
		"wrong secret": {func(s *store) { s.options.SecretKey = "geheim-other" },
			"the secret key does not belong to the access key (the store answered SignatureDoesNotMatch: "},
		"old token": {func(s *store) { s.options.SessionToken = "geheim-old" },
			"the keys are temporary and have ended, or the session token is not theirs: get new ones (the store answered ExpiredToken: "},
		"wrong region": {func(s *store) { s.options.Region = "us-east-1" },
			`the bucket "images" is in another region than "us-east-1": set the region "eu-central-1", and the endpoint of that region (the store answered AuthorizationHeaderMalformed: `},
		"moved": {deny(http.StatusMovedPermanently, "PermanentRedirect", ""),
			`the bucket "images" is in another region than "eu-central-1": set the region, and the endpoint of that region (`},
		"clock": {deny(http.StatusForbidden, "RequestTimeTooSkewed", ""),
			"the clock of this machine is more than 15 minutes from the store's: set it (the store answered RequestTimeTooSkewed: No)"},
		"full": {deny(http.StatusForbidden, "QuotaExceeded", ""),
			"the store has no room for it (the store answered QuotaExceeded: No)"},
		"something else": {deny(http.StatusBadRequest, "Other", ""),
			"the store answered Other: No"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startStore(t, false)
			c.change(s)
			m, file := quick(s.options), image(t, 10)
			err := m.Check(t.Context(), []transfer.File{file})
			require.ErrorContains(t, err, "begin an upload to "+s.URL+"/"+s.options.Bucket+"/copilot/"+file.Name+": ")
			assert.ErrorContains(t, err, c.want)
			said := &recordertest.Lines{}
			_, err = m.Send(t.Context(), file, said.Say)
			require.ErrorContains(t, err, "upload "+file.Name+" to ")
			assert.Empty(t, said.All(), "what is refused is not tried again")
			assert.NotContains(t, err.Error(), "geheim")
			assert.Error(t, m.Remove(t.Context(), file))
		})
	}
}

// Such a key is good enough to send, but not for the URL that it signs.
func TestAKeyThatMayWriteAndNotRead(t *testing.T) {
	s := startStore(t, false)
	s.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodHead {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	_, err := quick(s.options).Send(t.Context(), image(t, 10), (&recordertest.Lines{}).Say)
	assert.ErrorContains(t, err, "the access key may not do this: ")
	assert.Equal(t, 1, s.count("PUT part"))
}

func TestNobodyListens(t *testing.T) {
	s := startStore(t, false)
	s.Close()
	m, file, said := quick(s.options), image(t, 10), &recordertest.Lines{}
	err := m.Check(t.Context(), []transfer.File{file})
	var refused *net.OpError
	require.ErrorAs(t, err, &refused)
	_, err = m.Send(t.Context(), file, said.Say)
	require.ErrorContains(t, err, "looking at the object failed 6 times, at last: dial tcp ")
	assert.Len(t, said.All(), 5)
}

func TestCertificates(t *testing.T) {
	s := startStore(t, true)
	file := image(t, 10)
	options := s.options
	options.CAFile = ""
	said := &recordertest.Lines{}
	_, err := quick(options).Send(t.Context(), file, said.Say)
	require.ErrorContains(t, err, "certificate signed by unknown authority")
	assert.Empty(t, said.All(), "it is not tried again")

	options.CAFile = filepath.Join(t.TempDir(), "none")
	assert.ErrorIs(t, quick(options).Check(t.Context(), nil), os.ErrNotExist)
	require.NoError(t, os.WriteFile(options.CAFile, []byte("nonsense"), 0o600))
	assert.EqualError(t, quick(options).Check(t.Context(), nil), "read the certificates of authorities: "+options.CAFile+" holds no PEM certificate")

	options = s.options
	options.Endpoint = "http" + options.Endpoint[len("https"):]
	_, err = quick(options).Send(t.Context(), file, said.Say)
	assert.ErrorContains(t, err, "the store answered 400")
}

func TestWhatAStoreCannotDoIsNotTriedAgain(t *testing.T) {
	for status, want := range map[int]bool{
		http.StatusServiceUnavailable: true, http.StatusInternalServerError: true, http.StatusNotImplemented: false, http.StatusForbidden: false,
	} {
		assert.Equal(t, want, isTemporary(minio.ErrorResponse{StatusCode: status}), status)
	}
}
