package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

var content = strings.Repeat("weights ", 20000)

func checksum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// server answers each request with the next answer, the last one for ever.
func server(t *testing.T, answers ...http.HandlerFunc) (url string, requests *atomic.Int32) {
	requests = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(requests.Add(1))
		answers[min(n, len(answers))-1](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/model.gguf", requests
}

func whole(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, content) }

// cut promises the whole file and hangs up in the middle of it.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	fmt.Fprint(w, content[:len(content)/2])
	panic(http.ErrAbortHandler)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func webPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, "<html>Please sign in</html>")
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

type said struct{ lines []string }

func newFetcher(t *testing.T) (*Fetcher, *said) {
	heard := new(said)
	f := New(filepath.Join(t.TempDir(), "cache"), func(line string) { heard.lines = append(heard.lines, line) })
	f.retries.Pause = time.Millisecond
	return f, heard
}

// filesIn lists a directory that may not exist.
func filesIn(t *testing.T, dir string) []string {
	entries, err := os.ReadDir(dir)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestDownloads(t *testing.T) {
	for name, tt := range map[string]struct {
		answers  []http.HandlerFunc
		requests int
		said     string
	}{
		"at once":             {[]http.HandlerFunc{whole}, 1, "download model.gguf: 156.2 KiB in"},
		"after a cut":         {[]http.HandlerFunc{cut, whole}, 2, "model: receive model.gguf: unexpected EOF (78.1 KiB of 156.2 KiB are kept); trying again in "},
		"after a busy server": {[]http.HandlerFunc{status(503), status(429), whole}, 3, "model: the server answered 429 Too Many Requests; trying again in "},
	} {
		t.Run(name, func(t *testing.T) {
			f, heard := newFetcher(t)
			url, requests := server(t, tt.answers...)
			payload := Payload{Field: "model", Source: url, Checksum: checksum(content)}
			file, err := f.Fetch(t.Context(), payload)
			require.NoError(t, err)
			got, err := os.ReadFile(file.Path)
			require.NoError(t, err)
			assert.Equal(t, content, string(got))
			assert.Equal(t, int32(tt.requests), requests.Load())
			assert.Contains(t, strings.Join(heard.lines, "\n"), tt.said)

			again, err := f.Fetch(t.Context(), payload)
			require.NoError(t, err)
			assert.Equal(t, file, again)
			assert.Equal(t, int32(tt.requests), requests.Load(), "a second build downloads nothing")
			assert.Equal(t, []string{filepath.Base(file.Path)}, filesIn(t, f.cacheDir))
		})
	}
}

func TestDownloadFailures(t *testing.T) {
	wrong := checksum("something else")
	for name, tt := range map[string]struct {
		answer   http.HandlerFunc
		requests int
		err      string
	}{
		"always cut":   {cut, 5, "model.source: download of URL failed 5 times, at last: receive model.gguf: unexpected EOF (78.1 KiB of 156.2 KiB are kept)"},
		"always busy":  {status(502), 5, "model.source: download of URL failed 5 times, at last: the server answered 502 Bad Gateway"},
		"not there":    {status(404), 1, "model.source: URL: the server answered 404 Not Found: check the URL, and whether it wants a login"},
		"not allowed":  {status(403), 1, "model.source: URL: the server answered 403 Forbidden: it wants a login: give a token that may read the file, or use another source"},
		"a web page":   {webPage, 1, "model.source: URL: the server answered with a web page, not with the file: use the direct download URL"},
		"another file": {whole, 1, "model.checksum: URL has " + checksum(content) + ", expected " + wrong + ": correct the checksum or the source"},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newFetcher(t)
			url, requests := server(t, tt.answer)
			secret := strings.Replace(url, "http://", "http://user:geheim@", 1) + "?token=geheim"
			_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: secret, Checksum: wrong})
			assert.EqualError(t, err, strings.Replace(tt.err, "URL", url, 1))
			assert.Equal(t, int32(tt.requests), requests.Load())
		})
	}
}

func TestSilentServer(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"before the answer": hang,
		"in the middle": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, content)
			w.(http.Flusher).Flush()
			hang(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newFetcher(t)
			f.stall = 50 * time.Millisecond
			url, _ := server(t, answer)
			_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url, Checksum: checksum(content)})
			require.ErrorContains(t, err, "model.source: download of "+url+" failed 5 times")
			assert.ErrorContains(t, err, "the server sent nothing for 50ms")
		})
	}
}

// A byte every now and then is a sign of life, but not a download.
func TestServerThatTrickles(t *testing.T) {
	f, _ := newFetcher(t)
	f.stall = 50 * time.Millisecond
	url, requests := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		drip := time.NewTicker(time.Millisecond)
		defer drip.Stop()
		for r.Context().Err() == nil {
			fmt.Fprint(w, "w")
			w.(http.Flusher).Flush()
			<-drip.C
		}
	})
	_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url, Checksum: checksum(content)})
	require.ErrorContains(t, err, "model.source: download of "+url+" failed 5 times, at last: receive model.gguf: the server sent only ")
	require.ErrorContains(t, err, " B in 50ms, and less than 64.0 KiB in that time is taken for a connection that hangs")
	assert.Equal(t, int32(5), requests.Load())
}

func TestEveryByteIsASignOfLife(t *testing.T) {
	signs := 0
	slow := iotest.OneByteReader(strings.NewReader("slow"))
	_, err := io.Copy(io.Discard, aliveReader{t.Context(), slow, func(bytes int) { signs += bytes }})
	require.NoError(t, err)
	assert.Equal(t, 4, signs)
}

func TestUnreachableServer(t *testing.T) {
	f, heard := newFetcher(t)
	s := httptest.NewServer(nil)
	s.Close()
	_, err := f.Fetch(t.Context(), Payload{Field: "backend", Source: s.URL + "/b.tar?token=geheim", Checksum: checksum(content)})
	require.ErrorContains(t, err, "connection refused")
	assert.NotContains(t, err.Error()+strings.Join(heard.lines, ""), "geheim")
	assert.Len(t, heard.lines, 4, "one line for each new attempt")
}

func TestCancelStopsADownload(t *testing.T) {
	f, _ := newFetcher(t)
	ctx, cancel := context.WithCancel(t.Context())
	url, requests := server(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, content)
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	_, err := f.Fetch(ctx, Payload{Field: "model", Source: url, Checksum: checksum(content)})
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "model.source: download of "+url+" stopped")
	assert.Equal(t, int32(1), requests.Load())
}

func TestDamagedCacheIsReplaced(t *testing.T) {
	f, heard := newFetcher(t)
	url, requests := server(t, whole)
	payload := Payload{Field: "model", Source: url, Checksum: strings.ToUpper(checksum(content)[7:])}
	payload.Checksum = digest.SHA256Prefix + payload.Checksum
	file, err := f.Fetch(t.Context(), payload)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file.Path, []byte("rotten"), 0o644))
	_, err = f.Fetch(t.Context(), payload)
	require.NoError(t, err)
	assert.Equal(t, int32(2), requests.Load())
	assert.Contains(t, heard.lines, "model: the cached file "+file.Path+" is damaged and is downloaded anew")
}

func TestTwoBuildsShareOneDownload(t *testing.T) {
	f, _ := newFetcher(t)
	started, release := make(chan struct{}), make(chan struct{})
	url, requests := server(t, func(w http.ResponseWriter, _ *http.Request) {
		close(started)
		<-release
		fmt.Fprint(w, content)
	})
	waiting := make(chan struct{})
	other := New(f.cacheDir, func(line string) {
		if strings.HasSuffix(line, "waiting for it") {
			close(waiting)
		}
	})
	payload := Payload{Field: "model", Source: url, Checksum: checksum(content)}
	errs := make(chan error, 2)
	fetch := func(f *Fetcher) {
		_, err := f.Fetch(t.Context(), payload)
		errs <- err
	}
	go fetch(f)
	<-started
	go fetch(other)
	<-waiting
	close(release)
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
	assert.Equal(t, int32(1), requests.Load())
}

func TestCacheThatCannotBeWritten(t *testing.T) {
	f, _ := newFetcher(t)
	require.NoError(t, os.WriteFile(f.cacheDir, nil, 0o644))
	_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: "http://127.0.0.1/x", Checksum: checksum(content)})
	assert.ErrorContains(t, err, "model.source: create the download cache")
}

func TestChecksumsThatAreNone(t *testing.T) {
	for checksum, want := range map[string]string{
		"none":           `model.checksum: "none" is for a local file: http://127.0.0.1/x is a download`,
		"sha256:../../x": `model.checksum: must be "sha256:" and 64 hexadecimal digits`,
		content[:64]:     `model.checksum: must be "sha256:" and 64 hexadecimal digits`,
	} {
		f, _ := newFetcher(t)
		_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: "http://127.0.0.1/x?geheim", Checksum: checksum})
		assert.EqualError(t, err, want)
		assert.Empty(t, filesIn(t, f.cacheDir))
	}
}

func TestFullDisk(t *testing.T) {
	f, _ := newFetcher(t)
	url, requests := server(t, whole)
	require.NoError(t, os.Mkdir(f.cacheDir, 0o755))
	part := filepath.Join(f.cacheDir, strings.TrimPrefix(checksum(content), digest.SHA256Prefix)+".part")
	require.NoError(t, os.Symlink("/dev/full", part))
	_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url, Checksum: checksum(content)})
	assert.ErrorContains(t, err, "no space left on device")
	assert.Equal(t, int32(1), requests.Load(), "another attempt would not help")
}

func TestLocalFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "local-ai")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	for name, tt := range map[string]struct{ source, checksum, err string }{
		"right":     {file, checksum(content), ""},
		"unchecked": {file, "none", ""},
		"unpinned":  {file, "", ""},
		"wrong":     {file, checksum("other"), "localai.checksum: " + file + " has " + checksum(content) + ", expected " + checksum("other") + ": correct the checksum or the source"},
		"missing":   {file + "x", "none", "localai.source: stat " + file + "x: no such file or directory"},
		"directory": {dir, "none", "localai.source: " + dir + " is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			f, heard := newFetcher(t)
			got, err := f.Fetch(t.Context(), Payload{Field: "localai", Source: tt.source, Checksum: tt.checksum})
			if tt.err != "" {
				require.EqualError(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, file, got.Path)
			assert.Equal(t, content, read(t, got))
			warning := "WARNING: localai: " + file + " is not pinned, what came was taken: " + checksum(content) + " (160000 bytes)"
			assert.Equal(t, name == "unpinned", strings.Contains(strings.Join(heard.lines, "\n"), warning))
			assert.Empty(t, filesIn(t, f.cacheDir), "a local file is used where it is")
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		f, _ := newFetcher(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := f.Fetch(ctx, Payload{Field: "localai", Source: file, Checksum: "none"})
		assert.ErrorIs(t, err, context.Canceled)
	})
}
