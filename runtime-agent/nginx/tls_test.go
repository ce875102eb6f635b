package nginx

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

func TestTLSVersions(t *testing.T) {
	address := engine(t, localaitest.Options{})
	servers := map[string]*server{"serving": start(t, address), "refused": startWith(t, Site.RenderRefused, address)}
	for name, s := range servers {
		for version, allowed := range map[uint16]bool{
			tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
		} {
			config := s.tls()
			config.MinVersion, config.MaxVersion = version, version
			connection, err := tls.Dial("tcp", s.https, config)
			if !allowed {
				assert.ErrorContains(t, err, "protocol version", "%s, %s", name, tls.VersionName(version))
				continue
			}
			if assert.NoError(t, err, "%s, %s", name, tls.VersionName(version)) {
				connection.Close()
			}
		}
	}
}

// Ephemeral keys and authenticated encryption, and nothing else.
func TestCiphers(t *testing.T) {
	address := engine(t, localaitest.Options{})
	servers := map[string]*server{"serving": start(t, address), "refused": startWith(t, Site.RenderRefused, address)}
	for name, s := range servers {
		taken := 0
		for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
			if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
				continue
			}
			config := s.tls()
			config.MaxVersion, config.CipherSuites = tls.VersionTLS12, []uint16{suite.ID}
			connection, err := tls.Dial("tcp", s.https, config)
			if err == nil {
				taken++
				assert.Regexp(t, `^TLS_ECDHE_RSA_WITH_(AES_\d+_GCM|CHACHA20_POLY1305)_`, suite.Name, name)
				connection.Close()
				continue
			}
			assert.ErrorContains(t, err, "handshake failure", "%s, %s", name, suite.Name)
		}
		assert.Equal(t, 3, taken, name)
	}
}

// Whoever gets the session ticket key can decrypt every recorded connection: nginx makes one
// at its start and uses it for as long as it runs.
func TestNoSessionTickets(t *testing.T) {
	address := engine(t, localaitest.Options{})
	servers := map[string]*server{"serving": start(t, address), "refused": startWith(t, Site.RenderRefused, address)}
	for name, s := range servers {
		config := s.tls()
		// In TLS 1.3 what looks like a ticket may be an id in nginx's session cache.
		config.MaxVersion = tls.VersionTLS12
		kept := &sessions{}
		config.ClientSessionCache = kept
		connection, err := tls.Dial("tcp", s.https, config)
		require.NoError(t, err, name)
		connection.Close()
		assert.Zero(t, kept.tickets, name)
	}
}

// sessions counts the tickets that a server sends.
type sessions struct{ tickets int }

func (s *sessions) Get(string) (*tls.ClientSessionState, bool) { return nil, false }

func (s *sessions) Put(_ string, state *tls.ClientSessionState) {
	if state != nil {
		s.tickets++
	}
}

// recorder records what came over the wire.
type recorder struct {
	net.Conn
	seen bytes.Buffer
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.seen.Write(p[:n])
	return n, err
}

// A client can read a record only once it has all of it.
func TestTLSRecordsAreSmall(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
	content := make([]byte, 1<<16)
	write(t, s.webRoot, filepath.Base(appliance.PathCA), content)
	plain, err := net.Dial("tcp", s.https)
	require.NoError(t, err)
	wire := &recorder{Conn: plain}
	connection := tls.Client(wire, s.tls())
	defer connection.Close()
	_, err = io.WriteString(connection, "GET "+appliance.PathCA+" HTTP/1.0\r\n\r\n")
	require.NoError(t, err)
	text, err := io.ReadAll(connection)
	require.NoError(t, err)
	require.Greater(t, len(text), len(content))

	// A record is a type, a version, the length in two bytes, and the rest (RFC 8446, 5.1);
	// TLS 1.3 encrypts 4096 bytes to a few more.
	const header, limit = 5, 4096 + 64
	records := 0
	for rest := wire.seen.Bytes(); len(rest) > 0; records++ {
		length := int(binary.BigEndian.Uint16(rest[3:header]))
		require.LessOrEqual(t, length, limit)
		rest = rest[header+length:]
	}
	assert.Greater(t, records, len(content)/limit)
}

func TestTheServerVersionIsNotSent(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
	for _, url := range []string{s.url() + appliance.PathHealth, s.url() + "/none", "http://" + s.http + "/", "http://" + s.http + "/.well-known/acme-challenge/none"} {
		request, err := http.NewRequest(http.MethodGet, url, nil)
		require.NoError(t, err)
		response := do(t, s, request)
		assert.Equal(t, []string{"nginx"}, response.Header.Values("Server"), url)
		assert.NotContains(t, response.text, "nginx/", url)
	}
}
