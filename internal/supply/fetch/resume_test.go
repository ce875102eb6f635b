package fetch

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// remote is a file on a server that knows about ranges and versions, and hangs up where
// it is told to.
type remote struct {
	mu       sync.Mutex
	content  string
	etag     string
	modified time.Time
	// cuts is after how many bytes of an answer the server hangs up, one for each request.
	cuts []int
	// before may answer a request, or change the file, and is told its number.
	before func(n int, w http.ResponseWriter, r *http.Request) (answered bool)
	// asked is "Range If-Range" of each request, served all bytes sent.
	asked  []string
	served int
}

func (f *remote) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, strings.TrimSpace(r.Header.Get("Range")+" "+r.Header.Get("If-Range")))
	if f.before != nil && f.before(len(f.asked), w, r) {
		return
	}
	if f.etag != "" {
		w.Header().Set("ETag", f.etag)
	}
	left := len(f.content)
	if len(f.cuts) > 0 {
		left, f.cuts = f.cuts[0], f.cuts[1:]
	}
	http.ServeContent(&cutWriter{w, left, &f.served}, r, "model.gguf", f.modified, strings.NewReader(f.content))
}

// log returns what was asked and how much was served, and forgets it. It waits for an answer
// that is on its way.
func (f *remote) log() (asked []string, served int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked, served = f.asked, f.served
	f.asked, f.served = nil, 0
	return asked, served
}

func (f *remote) start(t *testing.T) (url string) {
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL + "/model.gguf"
}

// cutWriter hangs up after so many bytes of the body.
type cutWriter struct {
	http.ResponseWriter
	left   int
	served *int
}

func (w *cutWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b[:min(len(b), w.left)])
	w.left -= n
	*w.served += n
	if n < len(b) && err == nil {
		w.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// read is what a fetched file holds.
func read(t *testing.T, file File) string {
	got, err := os.ReadFile(file.Path)
	require.NoError(t, err)
	assert.Equal(t, checksum(string(got)), digest.SHA256Prefix+file.SHA256)
	assert.Equal(t, int64(len(got)), file.Size)
	return string(got)
}

func onlyFile(t *testing.T, f *Fetcher, file File) {
	assert.Equal(t, []string{filepath.Base(file.Path)}, filesIn(t, f.cacheDir), "nothing else is left in the cache")
}

var yesterday = time.Now().Add(-24 * time.Hour)

func TestResume(t *testing.T) {
	end := len(content) - 1
	span := func(start int) string { return fmt.Sprintf("bytes=%d-%d", start, end) }
	date := yesterday.UTC().Format(http.TimeFormat)
	other := strings.Repeat("WEIGHTS!", 20000)
	for name, tt := range map[string]struct {
		file  *remote
		asked []string
		// extra is how many bytes had to be sent twice.
		extra int
	}{
		"at the first byte":   {&remote{etag: `"1"`, cuts: []int{1}}, []string{"", span(1) + ` "1"`}, 0},
		"in the middle":       {&remote{etag: `"1"`, cuts: []int{70001}}, []string{"", span(70001) + ` "1"`}, 0},
		"before the last":     {&remote{etag: `"1"`, cuts: []int{end}}, []string{"", span(end) + ` "1"`}, 0},
		"many times":          {&remote{etag: `"1"`, cuts: []int{9, 9, 9, 9, 9, 9, 9}}, []string{"", span(9) + ` "1"`, span(18) + ` "1"`, span(27) + ` "1"`, span(36) + ` "1"`, span(45) + ` "1"`, span(54) + ` "1"`, span(63) + ` "1"`}, 0},
		"by date":             {&remote{modified: yesterday, cuts: []int{5000}}, []string{"", span(5000) + " " + date}, 0},
		"etag before date":    {&remote{etag: `"1"`, modified: yesterday, cuts: []int{5000}}, []string{"", span(5000) + ` "1"`}, 0},
		"weak etag":           {&remote{etag: `W/"1"`, cuts: []int{5000}}, []string{"", span(5000)}, 0},
		"weak etag and date":  {&remote{etag: `W/"1"`, modified: yesterday, cuts: []int{5000}}, []string{"", span(5000) + " " + date}, 0},
		"no validator at all": {&remote{cuts: []int{5000}}, []string{"", span(5000)}, 0},
		"a date of just now":  {&remote{modified: time.Now().Add(time.Hour), cuts: []int{5000}}, []string{"", span(5000)}, 0},
		"ignored": {&remote{etag: `"1"`, cuts: []int{5000}, before: func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("Range")
			return false
		}}, []string{"", span(5000) + ` "1"`}, 5000},
		"refused by 416": {&remote{etag: `"1"`, cuts: []int{5000}, before: func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n == 2 {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			}
			return n == 2
		}}, []string{"", span(5000) + ` "1"`, ""}, 5000},
		"answered from elsewhere": {&remote{etag: `"1"`, cuts: []int{5000}, before: lie("bytes 4999-%d/%d")}, []string{"", span(5000) + ` "1"`, ""}, 5000},
		"answered with a total":   {&remote{etag: `"1"`, cuts: []int{5000}, before: lie("bytes 5000-%d/%d1")}, []string{"", span(5000) + ` "1"`, ""}, 5000},
		"answered with nonsense":  {&remote{etag: `"1"`, cuts: []int{5000}, before: lie("bytes 5000-")}, []string{"", span(5000) + ` "1"`, ""}, 5000},
		"answered for another version": {&remote{cuts: []int{5000}, etag: `"1"`, before: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 2 {
				w.Header().Set("ETag", `"2"`)
				return lie("bytes 5000-%d/%d")(n, w, r)
			}
			return false
		}}, []string{"", span(5000) + ` "1"`, ""}, 5000},
		"of a file that shrank to the right one": {&remote{content: other + "more", etag: `"1"`, cuts: []int{5000}}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newFetcher(t)
			file := tt.file
			if file.content != "" {
				// The file is replaced, and the server says so by its ETag.
				file.before = func(n int, _ http.ResponseWriter, _ *http.Request) bool {
					if n == 2 {
						file.content, file.etag = content, `"2"`
					}
					return false
				}
				tt.asked = []string{"", fmt.Sprintf(`bytes=5000-%d "1"`, len(file.content)-1)}
				tt.extra = 5000
			} else {
				file.content = content
			}
			got, err := f.Fetch(t.Context(), Payload{Field: "model", Source: file.start(t), Checksum: checksum(content)})
			require.NoError(t, err)
			assert.Equal(t, content, read(t, got))
			asked, served := file.log()
			assert.Equal(t, tt.asked, asked)
			assert.Equal(t, len(content)+tt.extra, served)
			onlyFile(t, f, got)
		})
	}
}

// lie answers the second request with a Content-Range that does not fit.
func lie(span string) func(int, http.ResponseWriter, *http.Request) bool {
	return func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n == 2 {
			if strings.Contains(span, "%") {
				span = fmt.Sprintf(span, len(content)-1, len(content))
			}
			w.Header().Set("Content-Range", span)
			w.WriteHeader(http.StatusPartialContent)
			fmt.Fprint(w, "not these bytes")
		}
		return n == 2
	}
}

// What one build left, the next continues: pinned or not, as long as it is the same file.
func TestNextBuildResumes(t *testing.T) {
	for name, tt := range map[string]struct {
		etag     string
		unpinned bool
		between  func(t *testing.T, f *remote, part string)
		asked    string
		served   int
	}{
		"pinned":                   {etag: `"1"`, asked: "resumed", served: len(content)},
		"pinned, no validator":     {asked: "resumed", served: len(content)},
		"not pinned":               {etag: `"1"`, unpinned: true, asked: "resumed", served: len(content)},
		"not pinned, no validator": {unpinned: true, asked: "whole", served: len(content) + 5000},
		"not pinned, weak etag":    {etag: `W/"1"`, unpinned: true, asked: "whole", served: len(content) + 5000},
		"not pinned, replaced": {etag: `"1"`, unpinned: true, asked: "resumed", served: len(content) + 5000, between: func(_ *testing.T, f *remote, _ string) {
			f.content, f.etag = strings.ToUpper(content), `"2"`
		}},
		"nobody knows of what": {etag: `"1"`, asked: "whole", served: len(content) + 5000, between: func(t *testing.T, _ *remote, part string) {
			require.NoError(t, os.Remove(part+".json"))
		}},
		"a torn note": {etag: `"1"`, asked: "whole", served: len(content) + 5000, between: func(t *testing.T, _ *remote, part string) {
			require.NoError(t, os.WriteFile(part+".json", []byte(`{"validat`), 0o644))
		}},
		"damaged": {etag: `"1"`, asked: "resumed, then whole", served: 2 * len(content), between: func(t *testing.T, _ *remote, part string) {
			require.NoError(t, os.WriteFile(part, []byte(strings.Repeat("rotten! ", 625)), 0o644))
		}},
		"longer than the file": {etag: `"1"`, asked: "whole", served: len(content) + 5000, between: func(t *testing.T, _ *remote, part string) {
			require.NoError(t, os.WriteFile(part, []byte(content+"more"), 0o644))
		}},
		"complete but for its name": {etag: `"1"`, asked: "nothing", served: 5000, between: func(t *testing.T, _ *remote, part string) {
			require.NoError(t, os.WriteFile(part, []byte(content), 0o644))
		}},
		"complete but wrong": {etag: `"1"`, asked: "whole", served: len(content) + 5000, between: func(t *testing.T, _ *remote, part string) {
			require.NoError(t, os.WriteFile(part, []byte(strings.ToUpper(content)), 0o644))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f, heard := newFetcher(t)
			file := &remote{content: content, etag: tt.etag, cuts: []int{5000, 0, 0, 0, 0}}
			p := Payload{Field: "model", Source: file.start(t)}
			if !tt.unpinned {
				p.Checksum = checksum(content)
			}
			// The first build gives up.
			_, err := f.Fetch(t.Context(), p)
			part := filepath.Join(f.cacheDir, p.name()+".part")
			asked, before := file.log()
			if tt.unpinned && tt.etag != `"1"` {
				require.ErrorContains(t, err, "failed 5 times, at last: ")
				assert.Equal(t, []string{"", "", "", "", ""}, asked)
				assert.Empty(t, filesIn(t, f.cacheDir))
			} else {
				require.ErrorContains(t, err, "(4.9 KiB of 156.2 KiB are kept)")
				assert.ElementsMatch(t, []string{p.name() + ".part", p.name() + ".part.json"}, filesIn(t, f.cacheDir))
			}
			if tt.between != nil {
				tt.between(t, file, part)
			}
			file.cuts = nil

			got, err := f.Fetch(t.Context(), p)
			require.NoError(t, err)
			assert.Equal(t, file.content, read(t, got))
			asked, served := file.log()
			resumed := strings.TrimSpace(fmt.Sprintf("bytes=5000-%d %s", len(content)-1, tt.etag))
			assert.Equal(t, map[string][]string{
				"resumed": {resumed}, "whole": {""}, "nothing": nil, "resumed, then whole": {resumed, ""},
			}[tt.asked], asked)
			if tt.asked == "resumed, then whole" {
				assert.Contains(t, heard.lines, "model: model.gguf came in pieces and they do not fit together: downloading it from the start")
			}
			assert.Equal(t, tt.served, before+served)
			onlyFile(t, f, got)
			if tt.unpinned {
				assert.Contains(t, heard.lines[len(heard.lines)-1], "WARNING: model: "+p.Source+" is not pinned, what came was taken: "+checksum(file.content))
			}
		})
	}
}

// A line that brings a byte at a time is not followed for ever.
func TestAttemptsAreBounded(t *testing.T) {
	f, heard := newFetcher(t)
	cuts := make([]int, 2*retries.Attempts)
	for i := range cuts {
		cuts[i] = 1
	}
	file := &remote{content: content, etag: `"1"`, cuts: cuts}
	_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: file.start(t), Checksum: checksum(content)})
	require.ErrorContains(t, err, "failed 300 times, at last: receive model.gguf: unexpected EOF (300 B of 156.2 KiB are kept)")
	asked, _ := file.log()
	assert.Len(t, asked, retries.Attempts)
	assert.Len(t, heard.lines, retries.Attempts-1, "each failure is said")
}

// raw answers every request with these bytes and hangs up.
func raw(t *testing.T, answer string) (url string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			request := make([]byte, 4096)
			_, _ = c.Read(request)
			_, _ = io.WriteString(c, answer)
			c.Close()
		}
	}()
	return "http://" + listener.Addr().String() + "/model.gguf"
}

func TestLiesAboutTheLength(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	for name, tt := range map[string]struct {
		answer string
		size   int64
		err    string
	}{
		"less than announced":             {head + "Content-Length: 100\r\n\r\nshort", 0, "failed 5 times, at last: receive model.gguf: unexpected EOF (5 B of 100 B are kept)"},
		"more than announced":             {head + "Content-Length: 5\r\n\r\nshort, but not", 0, "model.checksum: URL has " + checksum("short") + ", expected"},
		"announced is not what is pinned": {head + "Content-Length: 5\r\n\r\nshort", 6, "model.checksum: URL has 5 bytes, but the one that was pinned has 6: the source now holds another file"},
		"unannounced, less than pinned":   {head + "\r\nshort", 6, "failed 5 times, at last: receive model.gguf: the server ended after 5 of 6 bytes (5 B of 6 B are kept)"},
		"unannounced, more than pinned":   {head + "\r\nshort", 4, "model.source: URL is longer than the 4 bytes it should have"},
		"a torn chunk":                    {head + "Transfer-Encoding: chunked\r\n\r\n5\r\nsh", 0, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newFetcher(t)
			url := raw(t, tt.answer)
			_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url, Checksum: checksum(content), Size: tt.size})
			require.ErrorContains(t, err, strings.Replace(tt.err, "URL", url, 1))
			assert.NotContains(t, filesIn(t, f.cacheDir), Payload{Checksum: checksum("short")}.digest())
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	f, heard := newFetcher(t)
	url, requests := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}, whole)
	_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url, Checksum: checksum(content)})
	require.NoError(t, err)
	assert.Equal(t, int32(2), requests.Load())
	assert.Contains(t, heard.lines, "model: the server answered 429 Too Many Requests; trying again in 1s (failure 1 of 5)")
}

// A server that states no length at first may state it when it continues, and in pieces.
func TestLengthIsLearntFromAPiece(t *testing.T) {
	piece := func(start, end int, total string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", start, end-1, total))
			w.WriteHeader(http.StatusPartialContent)
			fmt.Fprint(w, content[start:end])
		}
	}
	unmeasured := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"1"`)
		fmt.Fprint(w, content[:50000])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	whole := fmt.Sprint(len(content))
	for name, tt := range map[string]struct {
		answers []http.HandlerFunc
		err     string
	}{
		"to the end":        {[]http.HandlerFunc{unmeasured, piece(50000, len(content), whole)}, ""},
		"in two pieces":     {[]http.HandlerFunc{unmeasured, piece(50000, 90000, whole), piece(90000, len(content), whole)}, ""},
		"an impossible one": {[]http.HandlerFunc{unmeasured, piece(50000, len(content), "9223372036854775807")}, "needs 8.0 EiB in "},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newFetcher(t)
			url, _ := server(t, tt.answers...)
			file, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url})
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, content, read(t, file))
		})
	}
}
