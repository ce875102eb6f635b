package nginx

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// page is large enough for nginx to compress it if allowed.
var page = strings.Repeat("<p>a token</p>\n", 200)

// listener is a gateway that remembers the last request. It streams if it is asked to.
func listener(t *testing.T) (address string, last func() *http.Request) {
	t.Helper()
	requests := make(chan *http.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		w.Header().Set("Content-Type", "text/html")
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		} else {
			w.(http.Flusher).Flush()
		}
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), func() *http.Request { return <-requests }
}

// likeDebian puts a site into an http block like that of Debian's and Ubuntu's nginx.conf.
func likeDebian(s Site) []byte {
	return append([]byte("gzip on;\ngzip_types *;\n"), s.Render()...)
}

// The gateway learns who asks from nginx alone, and no password.
func TestHeadersBothWays(t *testing.T) {
	address, last := listener(t)
	s := startWith(t, likeDebian, address)
	send := func(t *testing.T, method, path, body string) (seen *http.Request, response answer) {
		t.Helper()
		request, err := http.NewRequest(method, s.url()+path, strings.NewReader(body))
		require.NoError(t, err)
		for name, value := range map[string]string{
			"Authorization": "Bearer " + testPassword, "X-Api-Key": testPassword,
			"Cookie": "token=" + testPassword, "Origin": "https://page.example.org", "Accept-Encoding": "gzip",
			"User-Agent": "an agent", "Accept": "text/event-stream", "Content-Type": "application/json", "X-Stainless-Lang": "js",
			appliance.HeaderClient: "somebody else", appliance.HeaderKey: "somebody-else", "Session-Id": "7",
		} {
			request.Header.Set(name, value)
		}
		response = do(t, s, request)
		require.Equal(t, http.StatusOK, response.StatusCode, response.text)
		return last(), response
	}
	wanted := func(changed http.Header) http.Header {
		header := http.Header{
			appliance.HeaderClient: {"127.0.0.1"}, appliance.HeaderKey: {"copilot"}, "Connection": {"close"}, "User-Agent": {"an agent"}, "Session-Id": {"7"},
			"Accept": {"text/event-stream"}, "Content-Type": {"application/json"}, "X-Stainless-Lang": {"js"},
		}
		for name, values := range changed {
			header[name] = values
		}
		return header
	}
	answered := func(changed http.Header) http.Header {
		header := http.Header{
			"Server": {"nginx"}, "Content-Type": {"text/html"}, "Access-Control-Allow-Origin": {"*"},
			"Access-Control-Expose-Headers": {"Retry-After, X-Request-Id"},
		}
		for name, values := range changed {
			header[name] = values
		}
		return header
	}
	for name, tt := range map[string]struct {
		method, path, body string
		sent, answered     http.Header
		encoding           []string
	}{
		"asked for models": {http.MethodGet, appliance.PathModels, "", nil,
			http.Header{"Content-Length": {strconv.Itoa(len(page))}}, nil},
		"asked for a stream": {http.MethodPost, appliance.PathChat, "{}", http.Header{"Content-Length": {"2"}}, nil,
			[]string{"chunked"}},
		"asked for its health": {http.MethodGet, appliance.PathHealth, "", nil,
			http.Header{"Content-Length": {strconv.Itoa(len(page))}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			seen, response := send(t, tt.method, tt.path, tt.body)
			id := response.Header.Values("X-Request-Id")
			assert.Equal(t, seen.Header.Values("X-Request-Id"), id, "one name of the request for all three")
			assert.Regexp(t, "^[0-9a-f]{32}$", id[0])
			seen.Header.Del("X-Request-Id")
			response.Header.Del("X-Request-Id")
			assert.Equal(t, wanted(tt.sent), seen.Header, "what the gateway is sent")
			assert.Equal(t, "HTTP/1.1", seen.Proto)
			assert.Equal(t, "slm_copilot_gateway", seen.Host)

			assert.NotEmpty(t, response.Header.Get("Date"))
			response.Header.Del("Date")
			assert.Equal(t, answered(tt.answered), response.Header, "what the client is answered")
			assert.Equal(t, tt.encoding, response.TransferEncoding)
			assert.Equal(t, page, response.text)
		})
	}
}
