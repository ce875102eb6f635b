package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"
)

const (
	accessKey = "AKIAEXAMPLE"
	secretKey = "geheim/secret+key"
	region    = "eu-central-1"
)

// store is gofakes3, behind what it lacks: signatures and digests of bodies are verified.
type store struct {
	*httptest.Server
	options Options
	// secret and token are what is accepted.
	secret, token string
	// fault may answer a request instead of the store.
	fault func(http.ResponseWriter, *http.Request) bool
	// ended is closed with the test: a server does not notice that a client is gone whose
	// body it does not read.
	ended chan struct{}

	mu       sync.Mutex
	requests []string
}

// startStore serves one bucket.
func startStore(t testing.TB, secure bool) *store {
	t.Helper()
	backend := s3mem.New()
	require.NoError(t, backend.CreateBucket("images"))
	fake := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	s := &store{secret: secretKey, ended: make(chan struct{})}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.note(r)
		if s.fault != nil && s.fault(w, r) {
			return
		}
		if s.verify(w, r) {
			fake.ServeHTTP(w, r)
		}
	})
	s.options = Options{Region: region, Bucket: "images", Prefix: "copilot", AccessKey: accessKey, SecretKey: secretKey}
	if secure {
		s.Server = httptest.NewTLSServer(handler)
		s.options.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
		require.NoError(t, os.WriteFile(s.options.CAFile, content, 0o600))
	} else {
		s.Server = httptest.NewServer(handler)
	}
	t.Cleanup(func() {
		close(s.ended)
		s.CloseClientConnections()
		s.Close()
	})
	s.options.Endpoint = s.URL
	return s
}

// note keeps what was asked for, in short.
func (s *store) note(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+kind(r))
}

// kind is what a request wants.
func kind(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case q.Has("partNumber"):
		return "part " + q.Get("partNumber")
	case q.Has("uploadId"):
		return "upload"
	case q.Has("uploads"):
		return "uploads"
	case q.Has("location"):
		return "location"
	}
	return "object"
}

func (s *store) count(request string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, made := range s.requests {
		if made == request || request == "PUT part" && strings.HasPrefix(made, "PUT part ") {
			n++
		}
	}
	return n
}

// refuse answers as S3 does.
func refuse(w http.ResponseWriter, status int, code, message, more string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message>%s</Error>", code, message, more)
}

// verify does what every real store does first.
func (s *store) verify(w http.ResponseWriter, r *http.Request) bool {
	signature, err := readSignature(r)
	if err != nil {
		refuse(w, http.StatusForbidden, "AccessDenied", err.Error(), "")
		return false
	}
	switch {
	case signature.accessKey != accessKey:
		refuse(w, http.StatusForbidden, "InvalidAccessKeyId", "The key does not exist.", "")
	case signature.token != s.token:
		refuse(w, http.StatusBadRequest, "ExpiredToken", "The provided token has expired.", "")
	case signature.region != region:
		refuse(w, http.StatusBadRequest, "AuthorizationHeaderMalformed", "the region is wrong", "<Region>"+region+"</Region>")
	case signature.expect(r, s.secret) != signature.given:
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "The signature does not match.", "")
	default:
		return s.verifyBody(w, r)
	}
	return false
}

func (s *store) verifyBody(w http.ResponseWriter, r *http.Request) bool {
	digest := r.Header.Get("X-Amz-Content-Sha256")
	if r.Method != http.MethodPut {
		return true
	}
	content, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "IncompleteBody", "The body is too short.", "")
		return false
	}
	sum := sha256.Sum256(content)
	if digest != hex.EncodeToString(sum[:]) {
		refuse(w, http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The body is not what was signed.", "")
		return false
	}
	r.Body = io.NopCloser(strings.NewReader(string(content)))
	return true
}
