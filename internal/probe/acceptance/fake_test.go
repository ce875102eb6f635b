package acceptance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	rightPassword = "Correct-Horse-1"
	modelID       = "devstral-small-2"
	// contextSize is that of the fake, which takes each byte for a token.
	contextSize = 40_000
	theModel    = `{"id":"devstral-small-2","object":"model","created":1795376243,"owned_by":"slm-copilot","context_length":40000}`
	modelList   = `{"object":"list","data":[` + theModel + `]}`
)

const goodMetrics = `# HELP slm_copilot_gateway_received_total Requests that came in.
slm_copilot_gateway_received_total{route="/metrics",key="copilot"} 3
slm_copilot_gateway_received_total{route="/v1/chat completions",key="a b"} 2
slm_copilot_gateway_requests_total{route="/metrics",key="copilot",status="200"} 2
slm_copilot_gateway_requests_total{route="/v1/chat completions",key="a b",status="499"} 1
slm_copilot_gateway_in_hand 2
`

const goodCall = `{"choices":[{"message":{"content":"","tool_calls":[{"id":"abcdefghi","type":"function",` +
	`"function":{"name":"clock","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}`

// fake is an appliance that keeps every promise, but for what a test breaks.
type fake struct {
	// https and http see a request first; true means they have answered it.
	https, http func(http.ResponseWriter, *http.Request) bool
	tls         func(*tls.Config)
	// names are in the certificate.
	names []string
	// offered is the root at /ca.pem, if it is another than the one that signs.
	offered *authority
}

// start serves the fake and returns it as a target.
func (f fake) start(t *testing.T) *Target {
	t.Helper()
	root := newAuthority(t)
	if f.names == nil {
		f.names = []string{"127.0.0.1", "10.0.2.15"}
	}
	if f.offered == nil {
		f.offered = root
	}
	quiet := log.New(io.Discard, "", 0)

	secure := httptest.NewUnstartedServer(first(f.https, http.HandlerFunc(serveHTTPS)))
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{root.leaf(t, f.names)}, MinVersion: tls.VersionTLS12}
	if f.tls != nil {
		f.tls(secure.TLS)
	}
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	t.Cleanup(secure.Close)

	plain := httptest.NewServer(first(f.http, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ca.pem" {
			_, _ = w.Write(f.offered.pem)
			return
		}
		w.Header().Set("Location", "https://127.0.0.1"+r.URL.RequestURI())
		w.WriteHeader(http.StatusMovedPermanently)
	})))
	t.Cleanup(plain.Close)

	return &Target{
		HTTPS:    secure.Listener.Addr().String(),
		HTTP:     plain.Listener.Addr().String(),
		Names:    []string{"127.0.0.1", "10.0.2.15"},
		Password: rightPassword,
		Model:    modelID,
		Root:     root.certificate,
	}
}

func first(broken func(http.ResponseWriter, *http.Request) bool, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A server of Go that answers before it has read a long body resets the connection, and the answer is lost. Whoever
		// only announces a body sends none.
		if r.Header.Get("Expect") == "" {
			defer func() { _, _ = io.Copy(io.Discard, r.Body) }()
		}
		if broken == nil || !broken(w, r) {
			rest.ServeHTTP(w, r)
		}
	})
}

func serveHTTPS(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	answer, known := routes[r.URL.Path]
	switch {
	case !known:
		openAIError(w, http.StatusNotFound, "there are no embeddings and the like")
	case r.Method == http.MethodOptions:
		w.Header().Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Api-Key")
		w.WriteHeader(http.StatusNoContent)
	case r.ContentLength > 15_000_000:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, `{"error":{"message":"too large","type":"invalid_request_error","code":"request_too_large"}}`)
	case r.URL.Path != "/health" && !authorized(r):
		w.Header().Set("WWW-Authenticate", `Basic realm="SLM-Copilot"`)
		openAIError(w, http.StatusUnauthorized, "no")
	default:
		answer(w, r)
	}
}

var routes = map[string]http.HandlerFunc{
	"/health":                     status(http.StatusOK, ""),
	"/models":                     status(http.StatusOK, modelList),
	"/metrics":                    status(http.StatusOK, goodMetrics),
	"/v1/models":                  status(http.StatusOK, modelList),
	"/v1/models/":                 status(http.StatusOK, modelList),
	"/v1/models/devstral-small-2": status(http.StatusOK, theModel),
	"/v1/completions":             status(http.StatusOK, `{"choices":[{"text":"a + b"}]}`),
	"/v1/chat/completions":        serveChat,
	"/v1/responses":               events("response.created", "response.output_text.delta", "response.incomplete"),
	"/v1/messages":                events("message_start", "content_block_delta", "message_stop"),
	"/v1/messages/count_tokens":   status(http.StatusOK, `{"input_tokens":9}`),
}

// events answers with a stream of events that have no more than a type.
func events(types ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, kind := range types {
			_, _ = fmt.Fprintf(w, "event: %s\ndata: {\"type\":%q}\n\n", kind, kind)
		}
	}
}

func authorized(r *http.Request) bool {
	user, password, _ := r.BasicAuth()
	return r.Header.Get("Authorization") == "Bearer "+rightPassword ||
		r.Header.Get("X-Api-Key") == rightPassword ||
		user == "copilot" && password == rightPassword
}

func serveChat(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Model      string
		Stream     bool
		ToolChoice string `json:"tool_choice"`
		Messages   []struct{ Content any }
	}
	if json.NewDecoder(r.Body).Decode(&request) != nil || request.Model != modelID {
		openAIError(w, http.StatusBadRequest, "no")
		return
	}
	if text, _ := request.Messages[0].Content.(string); len(text) > contextSize {
		refuseLong(w, r)
		return
	}
	if request.ToolChoice == "required" {
		_, _ = io.WriteString(w, goodCall)
		return
	}
	if !request.Stream {
		_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"one two"},"finish_reason":"length"}]}`)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	stream(w, "one", " two")
}

func stream(w io.Writer, words ...string) {
	for _, word := range words {
		_, _ = fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":%q}}]}\n\n", word)
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

var refuseLong = refusal(`{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}`)

// refusal is JSON of status 400.
func refusal(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, body)
	}
}

func openAIError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error":{"message":%q,"type":"invalid_request_error"}}`, message)
}

// authority signs the certificates of a fake.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: "root"},
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{certificate, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (a *authority) leaf(t *testing.T, names []string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour)}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, strings.ToLower(name))
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
