package s3

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/recordertest"
)

const (
	testPart  = 256 << 10
	imageSize = 2*testPart + 1234
)

func image(t testing.TB, size int) transfer.File {
	t.Helper()
	content := make([]byte, size)
	_, _ = rand.Read(content)
	path := filepath.Join(t.TempDir(), "image.qcow2")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	sum := sha256.Sum256(content)
	return transfer.File{Path: path, Name: "slm copilot+1.0.0.qcow2", Size: int64(size), SHA256: hex.EncodeToString(sum[:])}
}

// quick is a method with small parts that does not wait between attempts.
func quick(options Options) *Method {
	m := New(options)
	m.partSize = testPart
	m.retries.Pause, m.retries.MaxPause = time.Millisecond, time.Millisecond
	return m
}

// curl fetches a URL as OpenNebula's downloader does.
func curl(t *testing.T, location string) []byte {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "curl", "--fail", "-sS", "-k", "-L", location).Output()
	require.NoError(t, err)
	return output
}

// uploads are those that were begun and not finished.
func uploads(t *testing.T, m *Method) int {
	t.Helper()
	listed, err := m.core.ListMultipartUploads(t.Context(), "images", "copilot/", "", "", "", 100)
	require.NoError(t, err)
	return len(listed.Uploads)
}

func TestSendThenRemove(t *testing.T) {
	for name, secure := range map[string]bool{"https": true, "http": false} {
		t.Run(name, func(t *testing.T) {
			s := startStore(t, secure)
			m, file, said := quick(s.options), image(t, imageSize), &recordertest.Lines{}
			require.NoError(t, m.Check(t.Context(), []transfer.File{file}))
			assert.Zero(t, uploads(t, m), "a check leaves nothing")

			location, err := m.Send(t.Context(), file, said.Say)
			require.NoError(t, err)
			content, err := os.ReadFile(file.Path)
			require.NoError(t, err)
			for range 7 {
				assert.Equal(t, sha256.Sum256(content), sha256.Sum256(curl(t, location)))
			}
			assert.Equal(t, 3, s.count("PUT part"))
			assert.Zero(t, uploads(t, m))

			u, err := url.Parse(location)
			require.NoError(t, err)
			assert.Equal(t, "/images/copilot/slm%20copilot%2B1.0.0.qcow2", u.EscapedPath())
			assert.Equal(t, "86400", u.Query().Get("X-Amz-Expires"))
			assert.NotContains(t, said.Text(), u.Query().Get("X-Amz-Signature"))
			assert.NotContains(t, said.Text(), "geheim")

			u.RawQuery = ""
			response, err := s.Client().Get(u.String())
			require.NoError(t, err)
			defer response.Body.Close()
			assert.Equal(t, http.StatusForbidden, response.StatusCode, "it is the signature that opens it")

			require.NoError(t, m.Remove(t.Context(), file))
			require.NoError(t, m.Remove(t.Context(), file), "nothing there is no error")
			there, err := (&upload{Method: m, file: file, key: m.options.key(file), say: said.Say}).isThere(t.Context())
			assert.True(t, isMissing(err))
			assert.False(t, there)
			require.NoError(t, m.Close())
		})
	}
}

func TestWhatIsThereIsNotSentAgain(t *testing.T) {
	s := startStore(t, false)
	m, file, said := quick(s.options), image(t, imageSize), &recordertest.Lines{}
	first, err := m.Send(t.Context(), file, said.Say)
	require.NoError(t, err)
	again, err := quick(s.options).Send(t.Context(), file, said.Say)
	require.NoError(t, err)
	assert.Equal(t, 3, s.count("PUT part"))
	assert.Contains(t, said.Text(), s.URL+"/images/copilot/"+file.Name+" is there already")
	assert.NotEmpty(t, curl(t, again))
	assert.NotEmpty(t, curl(t, first))

	// Another file of that name and size takes its place.
	other := image(t, imageSize)
	_, err = m.Send(t.Context(), other, said.Say)
	require.NoError(t, err)
	assert.Equal(t, 6, s.count("PUT part"))
}

func TestSessionTokens(t *testing.T) {
	s := startStore(t, false)
	s.token, s.options.SessionToken = "geheim-token", "geheim-token"
	s.options.Prefix = ""
	location, err := quick(s.options).Send(t.Context(), image(t, 10), (&recordertest.Lines{}).Say)
	require.NoError(t, err)
	assert.Contains(t, location, "/images/slm%20copilot%2B1.0.0.qcow2?")
	assert.Len(t, curl(t, location), 10)
}

// breakAfter closes the connection of a request after it has sent n bytes.
func breakAfter(r *http.Request, n int64) {
	_, _ = r.Body.Read(make([]byte, n))
	panic(http.ErrAbortHandler)
}

func TestAPartThatFailsIsSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(http.ResponseWriter, *http.Request)
		says string
	}{
		"broken connection": {func(_ http.ResponseWriter, r *http.Request) { breakAfter(r, 1000) },
			"part 2: "},
		"busy": {func(w http.ResponseWriter, r *http.Request) {
			refuse(w, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.", "")
		}, "part 2: the store answered SlowDown: Please reduce your request rate; trying again in 1ms (failure 2 of 6)"},
		"no answer in XML": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) },
			"part 2: the store answered 502 Bad Gateway: "},
		"damaged on its way": {func(w http.ResponseWriter, r *http.Request) {
			refuse(w, http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The body is not what was signed.", "")
		}, "part 2: the store answered XAmzContentSHA256Mismatch: "},
	} {
		t.Run(name, func(t *testing.T) {
			s := startStore(t, false)
			var failures atomic.Int32
			s.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if kind(r) != "part 2" || failures.Add(1) > 2 {
					return false
				}
				c.fail(w, r)
				return true
			}
			m, file, said := quick(s.options), image(t, imageSize), &recordertest.Lines{}
			location, err := m.Send(t.Context(), file, said.Say)
			require.NoError(t, err)
			assert.Len(t, curl(t, location), imageSize)
			assert.Contains(t, said.Text(), c.says)
			assert.Equal(t, 3, s.count("PUT part 2"))
			assert.NotContains(t, said.Text(), "uploadId")
			assert.NotContains(t, said.Text(), "geheim")
			assert.Contains(t, said.Text(), "upload "+file.Name+": 513.2 KiB in ", "what was sent in vain is not counted")
		})
	}
}

func TestAttemptsAreBoundedAndNothingIsLeft(t *testing.T) {
	s := startStore(t, false)
	s.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if kind(r) == "part 3" {
			breakAfter(r, 10)
		}
		return false
	}
	m, file, said := quick(s.options), image(t, imageSize), &recordertest.Lines{}
	_, err := m.Send(t.Context(), file, said.Say)
	require.ErrorContains(t, err, "upload "+file.Name+" to "+s.URL+"/images/copilot/"+file.Name+": part 3 failed 6 times, at last: ")
	assert.Equal(t, 6, s.count("PUT part 3"))
	assert.Zero(t, uploads(t, m))
}

func TestAStoreThatTakesNothingAnyMore(t *testing.T) {
	s := startStore(t, false)
	var stalled atomic.Int32
	s.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if kind(r) != "part 1" || stalled.Add(1) > 1 {
			return false
		}
		_, _ = r.Body.Read(make([]byte, 100))
		<-s.ended
		return true
	}
	m, said := quick(s.options), &recordertest.Lines{}
	m.stall = time.Second
	_, err := m.Send(t.Context(), image(t, imageSize), said.Say)
	require.NoError(t, err)
	assert.Contains(t, said.Text(), "part 1: the store took nothing any more; trying again in 1ms (failure 1 of 6)")
}

func TestCancelLeavesNothing(t *testing.T) {
	s := startStore(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	s.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if kind(r) != "part 2" {
			return false
		}
		cancel()
		<-s.ended
		return true
	}
	m := quick(s.options)
	_, err := m.Send(ctx, image(t, imageSize), (&recordertest.Lines{}).Say)
	require.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, uploads(t, m))
	assert.Equal(t, 1, s.count("DELETE upload"))
}

func TestUploadsOfKilledRunsAreGivenUp(t *testing.T) {
	s := startStore(t, false)
	m, file := quick(s.options), image(t, imageSize)
	begin := func() {
		require.NoError(t, m.connect())
		_, err := m.core.NewMultipartUpload(t.Context(), "images", m.options.key(file), putOptions)
		require.NoError(t, err)
		require.Equal(t, 1, uploads(t, m))
	}
	begin()
	_, err := m.Send(t.Context(), file, (&recordertest.Lines{}).Say)
	require.NoError(t, err)
	assert.Zero(t, uploads(t, m))

	begin()
	require.NoError(t, m.Remove(t.Context(), file))
	assert.Zero(t, uploads(t, m))
}

// The object is made, and the answer is lost.
func TestALostAnswerToTheLastRequest(t *testing.T) {
	s := startStore(t, false)
	var lost atomic.Bool
	s.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || kind(r) != "upload" || lost.Swap(true) {
			return false
		}
		s.Config.Handler.ServeHTTP(&nowhere{}, r)
		panic(http.ErrAbortHandler)
	}
	said := &recordertest.Lines{}
	location, err := quick(s.options).Send(t.Context(), image(t, imageSize), said.Say)
	require.NoError(t, err)
	assert.Len(t, curl(t, location), imageSize)
	assert.Contains(t, said.Text(), "putting the parts together: the server closed the connection; trying again")
	assert.Equal(t, 3, s.count("PUT part"))
}

// nowhere is where an answer goes that is lost.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header {
	if n.header == nil {
		n.header = http.Header{}
	}
	return n.header
}
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(int)             {}

func TestAFileThatBecomesShorter(t *testing.T) {
	s := startStore(t, false)
	m, file := quick(s.options), image(t, imageSize)
	require.NoError(t, os.Truncate(file.Path, testPart))
	_, err := m.Send(t.Context(), file, (&recordertest.Lines{}).Say)
	assert.ErrorContains(t, err, file.Path+" has become shorter meanwhile")
	assert.Zero(t, uploads(t, m))
}
