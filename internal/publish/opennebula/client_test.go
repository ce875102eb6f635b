package opennebula

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answers serves one handler after the other, the last one for ever.
func answers(t *testing.T, handlers ...http.HandlerFunc) (*Client, *atomic.Int32, *[]string) {
	t.Helper()
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(calls.Add(1)) - 1
		handlers[min(n, len(handlers)-1)](w, r)
	}))
	t.Cleanup(server.Close)
	said := new([]string)
	client, err := New(Options{
		Endpoint: server.URL + "/RPC2", Credentials: Credentials{"user", "REDACTED"}, HTTP: server.Client(),
		Say: func(line string) { *said = append(*said, line) }, Poll: time.Millisecond,
	})
	require.NoError(t, err)
	return client, &calls, said
}

// recorded answers as a front-end (OpenNebula 7.0.0) did.
func recorded(t *testing.T, name string) http.HandlerFunc {
	content, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return body(string(content))
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = io.WriteString(w, text)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "a proxy", code) }
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

func TestVersionSendsAndReadsWhatAFrontEndDoes(t *testing.T) {
	var request string
	client, _, _ := answers(t, func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		request = string(content)
		recorded(t, "01-system-version.response.xml")(w, r)
	})
	version, err := client.Version(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "7.0.0", version)
	want, err := os.ReadFile("testdata/01-system-version.request.xml")
	require.NoError(t, err)
	assert.Equal(t, xmlTokens(t, string(want)), xmlTokens(t, request))
}

func TestBadCredentialsAreNotTriedAgain(t *testing.T) {
	client, calls, _ := answers(t, recorded(t, "02-bad-credentials.response.xml"))
	_, err := client.Version(t.Context())
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, 0x0100, refused.Code)
	assert.ErrorContains(t, err, "User, password or token is wrong, or the token has expired")
	assert.ErrorContains(t, err, "log in to "+client.endpoint+` as user "user"`)
	assert.NotContains(t, err.Error(), "REDACTED", "the password stays out of messages")
	assert.EqualValues(t, 1, calls.Load())
}

func TestAFaultIsNotTriedAgain(t *testing.T) {
	client, calls, _ := answers(t, recorded(t, "05-unknown-method.response.xml"))
	_, err := client.Version(t.Context())
	assert.ErrorContains(t, err, "Method 'one.nosuch.method' not defined")
	assert.EqualValues(t, 1, calls.Load())
}

func TestACallWithoutAnAnswerIsTriedAgainVisibly(t *testing.T) {
	for name, failure := range map[string]http.HandlerFunc{
		"cut":         cut,
		"bad gateway": status(http.StatusBadGateway),
		"unavailable": status(http.StatusServiceUnavailable),
		"half an answer": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "<?xml")
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, calls, said := answers(t, failure, failure, recorded(t, "01-system-version.response.xml"))
			version, err := client.Version(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "7.0.0", version)
			assert.EqualValues(t, 3, calls.Load())
			require.Len(t, *said, 2)
			assert.Contains(t, (*said)[1], "(failure 2 of 7)")
		})
	}
}

func TestTriesAreBounded(t *testing.T) {
	client, calls, _ := answers(t, cut)
	_, err := client.Version(t.Context())
	assert.ErrorContains(t, err, "call one.system.version of "+client.endpoint+": no answer")
	assert.EqualValues(t, 7, calls.Load())
}

// A server that takes calls and never answers uses up minutes with each.
func TestCallsThatTakeLongAreRepeatedLessOften(t *testing.T) {
	client, calls, _ := answers(t, cut)
	client.outage = time.Nanosecond
	_, err := client.Version(t.Context())
	require.ErrorContains(t, err, "no answer")
	assert.EqualValues(t, 2, calls.Load())
}

func TestWhatIsNoFrontEndIsSaid(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"another path":   status(http.StatusNotFound),
		"not allowed":    status(http.StatusForbidden),
		"another method": status(http.StatusNotImplemented),
		"a page":         body("<html>welcome</html>"),
		"another API":    body(`{"ok":true}`),
		"other XML-RPC":  body(`<?xml version="1.0"?><methodResponse><params><param><value><array><data><value><string>x</string></value></data></array></value></param></params></methodResponse>`),
	} {
		t.Run(name, func(t *testing.T) {
			client, calls, _ := answers(t, answer)
			_, err := client.Version(t.Context())
			assert.ErrorContains(t, err, "the path of the URL must be /RPC2")
			assert.EqualValues(t, 1, calls.Load())
		})
	}
}

// newClient is for an endpoint that is no double.
func newClient(t *testing.T, endpoint string) (*Client, *[]string) {
	t.Helper()
	httpClient, err := NewHTTP(TLS{})
	require.NoError(t, err)
	said := new([]string)
	client, err := New(Options{
		Endpoint: endpoint, Credentials: Credentials{"user", "REDACTED"}, HTTP: httpClient,
		Say: func(line string) { *said = append(*said, line) }, Poll: time.Millisecond,
	})
	require.NoError(t, err)
	return client, said
}

func TestWhatDoesNotPassIsNotTriedAgain(t *testing.T) {
	plain := httptest.NewServer(recorded(t, "01-system-version.response.xml"))
	t.Cleanup(plain.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	ssh, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ssh.Close() })
	go func() {
		for {
			conn, err := ssh.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n")
		}
	}()
	for name, test := range map[string]struct{ endpoint, want string }{
		"TLS to a server without it": {strings.Replace(plain.URL, "http:", "https:", 1), "oned itself speaks no TLS: use http"},
		"TLS to an SSH server":       {"https://" + ssh.Addr().String(), "oned itself speaks no TLS: use http"},
		"nobody listens":             {closed.URL, "connection refused; check host and port of the endpoint"},
		"a name that nobody has":     {"http://nobody.invalid:2633", "check host and port of the endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			client, said := newClient(t, test.endpoint+"/RPC2")
			_, err := client.Version(t.Context())
			assert.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, test.endpoint)
			assert.Empty(t, *said, "no call is repeated")
		})
	}
}

// A front-end that has answered may be restarting.
func TestARefusedConnectionIsTriedAgainOnceThereWasAnAnswer(t *testing.T) {
	server := httptest.NewServer(recorded(t, "01-system-version.response.xml"))
	client, said := newClient(t, server.URL+"/RPC2")
	_, err := client.Version(t.Context())
	require.NoError(t, err)
	server.Close()
	_, err = client.Version(t.Context())
	require.ErrorContains(t, err, "failed 7 times")
	assert.Len(t, *said, 6)
}

func TestAnOutageIsWaitedOutOnce(t *testing.T) {
	version := recorded(t, "01-system-version.response.xml")
	var up atomic.Bool
	client, calls, _ := answers(t, func(w http.ResponseWriter, r *http.Request) {
		if up.Load() {
			version(w, r)
			return
		}
		cut(w, r)
	})
	for range 3 {
		_, err := client.Version(t.Context())
		require.ErrorContains(t, err, "no answer")
	}
	assert.EqualValues(t, 7+1+1, calls.Load())

	up.Store(true)
	_, err := client.Version(t.Context())
	require.NoError(t, err)
	up.Store(false)
	_, err = client.Version(t.Context())
	require.ErrorContains(t, err, "failed 7 times", "another outage")
}

func TestCallsStopWithTheirContext(t *testing.T) {
	client, calls, _ := answers(t, cut)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("somebody pressed Ctrl-C")
	cancel(reason)
	_, err := client.Version(ctx)
	assert.ErrorIs(t, err, reason)
	assert.Zero(t, calls.Load())
}

func TestACertificateOfAnUnknownCA(t *testing.T) {
	server := httptest.NewTLSServer(recorded(t, "01-system-version.response.xml"))
	t.Cleanup(server.Close)
	version := func(options TLS) (string, error) {
		httpClient, err := NewHTTP(options)
		require.NoError(t, err)
		client, err := New(Options{Endpoint: server.URL + "/RPC2", Credentials: Credentials{"u", "p"}, HTTP: httpClient, Say: func(string) {}, Poll: time.Millisecond})
		require.NoError(t, err)
		return client.Version(t.Context())
	}
	_, err := version(TLS{})
	assert.ErrorContains(t, err, "name the authority that signed it as ca_file")

	authority := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(authority, pemOf(server.Certificate()), 0o600))
	for name, options := range map[string]TLS{
		"its authority": {CAFile: authority},
		"another name":  {CAFile: authority, ServerName: "example.com"},
		"not looked at": {Insecure: true},
	} {
		got, err := version(options)
		require.NoError(t, err, name)
		assert.Equal(t, "7.0.0", got)
	}
	_, err = version(TLS{CAFile: authority, ServerName: "one.example.org"})
	assert.Error(t, err)
}

func TestNewHTTPNamesABadFile(t *testing.T) {
	_, err := NewHTTP(TLS{CAFile: "/nonexistent/ca.pem"})
	assert.ErrorContains(t, err, "/nonexistent/ca.pem")
	empty := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(empty, []byte("no PEM"), 0o600))
	_, err = NewHTTP(TLS{CAFile: empty})
	assert.ErrorContains(t, err, "holds none in PEM")
}

func TestNewListsEveryMistakeInsteadOfEndingTheProcess(t *testing.T) {
	_, err := New(Options{})
	require.Error(t, err)
	assert.Equal(t, strings.Join([]string{
		`endpoint: must be an http(s) URL without credentials such as "https://one.example.org:2633/RPC2"`,
		"user: must not be empty",
		"password: must not be empty",
	}, "\n"), err.Error())
}

func TestCheckEndpoint(t *testing.T) {
	for name, endpoint := range map[string]string{
		"no scheme":      "one.example.org:2633/RPC2",
		"another scheme": "ftp://one.example.org/RPC2",
		"no host":        "https:///RPC2",
		"only a port":    "http://:2633/RPC2",
		"credentials":    "https://user:hush@one.example.org/RPC2",
		"not a URL":      "http://[::1",
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckEndpoint(endpoint)
			require.ErrorContains(t, err, "must be an http(s) URL")
			assert.NotContains(t, err.Error(), "hush")
		})
	}
	assert.NoError(t, CheckEndpoint("http://127.0.0.1:2633/RPC2"))
}

// xmlTokens is a document without the blanks that mean nothing.
func xmlTokens(t *testing.T, document string) []string {
	decoder := xml.NewDecoder(strings.NewReader(document))
	var tokens []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return tokens
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			tokens = append(tokens, "<"+token.Name.Local+">")
		case xml.CharData:
			if text := strings.TrimSpace(string(token)); text != "" {
				tokens = append(tokens, text)
			}
		}
	}
}

func pemOf(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}
