package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

const secret = "hf_hunter2"

// publisher is a server with files, and with checksum lists and headers like those of real
// publishers.
type publisher struct {
	*httptest.Server
	// elsewhere serves the contents of linked files, like a content delivery network.
	elsewhere *httptest.Server

	// gated makes the registry require the token.
	gated atomic.Bool

	mu    sync.Mutex
	files map[string][]byte
	// linked is the path of a file that is served by elsewhere, and only with the token.
	linked string
	asked  []string
	sent   int
	// stuck is a path of which only the first half is sent.
	stuck string
}

func newPublisher(t *testing.T) *publisher {
	p := &publisher{files: map[string][]byte{}}
	p.elsewhere = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Authorization"), "the token went to another host")
		p.note(r)
		p.send(w, r, p.linked)
	}))
	t.Cleanup(p.elsewhere.Close)
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) put(path string, content []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files[path] = content
}

func (p *publisher) get(path string) ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	content, found := p.files[path]
	return content, found
}

func (p *publisher) note(r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.Method+" "+r.URL.Path)
}

// seen returns all requests so far.
func (p *publisher) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// forget resets the record of requests.
func (p *publisher) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = nil
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.note(r)
	content, found := p.get(r.URL.Path)
	switch {
	case !found:
		http.NotFound(w, r)
	case r.URL.Path != p.linked:
		p.send(w, r, r.URL.Path)
	case r.Header.Get("Authorization") != "Bearer "+secret:
		http.Error(w, "gated", http.StatusUnauthorized)
	default:
		w.Header().Set("X-Linked-Etag", `"`+sum256(content)+`"`)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(content)))
		http.Redirect(w, r, p.elsewhere.URL+"/blob?signature="+secret, http.StatusFound)
	}
}

func (p *publisher) send(w http.ResponseWriter, r *http.Request, path string) {
	content, _ := p.get(path)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+sum256(content)[:8]+`"`)
	p.mu.Lock()
	stuck := p.stuck
	p.mu.Unlock()
	if r.Method == http.MethodGet && path == stuck {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content[:len(content)/2])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}
	counted := &counter{ResponseWriter: w}
	http.ServeContent(counted, r, "", modified, bytes.NewReader(content))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = counted.bytes
}

// lastSent returns how many bytes of the last file were sent.
func (p *publisher) lastSent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

type counter struct {
	http.ResponseWriter
	bytes int
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.bytes += n
	return n, err
}

func (p *publisher) setStuck(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stuck = path
}

// list publishes a checksum list next to a file.
func (p *publisher) list(path, name string, lines ...string) {
	p.put(path[:strings.LastIndex(path, "/")+1]+name, []byte(strings.Join(lines, "\n")+"\n"))
}

func sum256(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func sum512(content []byte) string {
	sum := sha512.Sum512(content)
	return hex.EncodeToString(sum[:])
}

func line(sum, name string) string { return fmt.Sprintf("%s *%s", sum, name) }
