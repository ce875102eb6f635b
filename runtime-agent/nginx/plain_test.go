package nginx

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

// Without TLS: a redirect where that helps, else an answer that says what to do.
func TestPort80(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}), func(s *Site) {
		s.Hosts = []string{"copilot.example.org", "192.0.2.7", "[2001:db8::7]"}
	})
	for name, tt := range map[string]struct {
		head     string
		status   int
		location string
	}{
		"a known name":         {"GET /v1/models?a=b HTTP/1.1\r\nHost: Copilot.example.org\r\n", 301, "https://copilot.example.org/v1/models?a=b"},
		"with a port":          {"GET / HTTP/1.1\r\nHost: copilot.example.org:80\r\n", 301, "https://copilot.example.org/"},
		"a known address":      {"GET / HTTP/1.1\r\nHost: 192.0.2.7\r\n", 301, "https://192.0.2.7/"},
		"a known IPv6 address": {"GET / HTTP/1.1\r\nHost: [2001:db8::7]:80\r\n", 301, "https://[2001:db8::7]/"},
		"head only":            {"HEAD /health HTTP/1.1\r\nHost: 192.0.2.7\r\n", 301, "https://192.0.2.7/health"},
		"a made-up name":       {"GET / HTTP/1.1\r\nHost: attacker.example\r\n", 400, ""},
		"part of a name":       {"GET / HTTP/1.1\r\nHost: copilot.example.org.attacker.example\r\n", 400, ""},
		"in the request line":  {"GET http://attacker.example/ HTTP/1.1\r\nHost: 192.0.2.7\r\n", 400, ""},
		"HTTP/1.0, no host":    {"GET / HTTP/1.0\r\n", 400, ""},
		"a chat":               {"POST /v1/chat/completions HTTP/1.1\r\nHost: 192.0.2.7\r\nContent-Length: 2\r\n", 400, ""},
		"a long chat":          {"POST /v1/chat/completions HTTP/1.1\r\nHost: 192.0.2.7\r\nContent-Length: 14000000\r\n", 400, ""},
		"DELETE":               {"DELETE /v1/models HTTP/1.1\r\nHost: 192.0.2.7\r\n", 400, ""},
		"a preflight":          {"OPTIONS /v1/models HTTP/1.1\r\nHost: 192.0.2.7\r\n", 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := net.Dial("tcp", s.http)
			require.NoError(t, err)
			defer connection.Close()
			body := ""
			if strings.Contains(tt.head, "Content-Length") {
				body = "{}"
			}
			_, err = io.WriteString(connection, tt.head+"Connection: close\r\n\r\n"+body)
			require.NoError(t, err)
			method, _, _ := strings.Cut(tt.head, " ")
			response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: method})
			require.NoError(t, err)
			text, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			assert.Equal(t, tt.status, response.StatusCode)
			assert.Equal(t, tt.location, response.Header.Get("Location"))
			if tt.status == 400 {
				assert.Equal(t, "https_required", errorCode(t, answer{response, string(text)}))
				assert.Len(t, response.Header.Get("X-Request-Id"), 32)
				assert.Equal(t, []string{"*"}, response.Header.Values("Access-Control-Allow-Origin"))
			}
		})
	}
}

// A browser that was told so could not go back to a certificate of the VM's own CA.
func TestTransportSecurityIsForPublicCertificates(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}), func(s *Site) { s.PublicCertificate = true })
	for _, path := range []string{appliance.PathHealth, appliance.PathModels, "/unknown"} {
		assert.Equal(t, []string{"max-age=2592000"}, get(t, s, s.client(), path, "").Header.Values("Strict-Transport-Security"), path)
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+s.http+"/", nil)
	require.NoError(t, err)
	assert.Empty(t, do(t, s, request).Header.Values("Strict-Transport-Security"), "it would not count there (RFC 6797, 7.2)")
}
