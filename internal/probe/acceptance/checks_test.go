package acceptance

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAGoodApplianceKeepsEveryPromise(t *testing.T) {
	var told []Result
	results, err := Run(t.Context(), fake{}.start(t), Checks(), func(r Result) { told = append(told, r) })
	require.NoError(t, err)
	require.Len(t, results, len(Checks()))
	for _, result := range results {
		assert.True(t, result.Passed, "%s: %s", result.Name, result.Detail)
	}
	assert.Equal(t, results, told)
}

// An appliance may have its certificate from elsewhere, for a name that is not its address.
func TestAPublicCertificate(t *testing.T) {
	public := newAuthority(t)
	target := fake{tls: func(c *tls.Config) { c.Certificates[0] = public.leaf(t, []string{"copilot.example.org"}) }}.start(t)
	target.Names, target.ServerName = []string{"copilot.example.org"}, "copilot.example.org"
	target.Roots = x509.NewCertPool()
	target.Roots.AddCert(public.certificate)
	for _, root := range []*x509.Certificate{target.Root, nil} {
		target.Root = root
		results, err := Run(t.Context(), target, Checks(), func(Result) {})
		require.NoError(t, err)
		for _, result := range results {
			assert.True(t, result.Passed, "%s: %s", result.Name, result.Detail)
		}
	}
	target.ServerName = ""
	_, err := certificateTrusted(t.Context(), target)
	assert.ErrorContains(t, err, "127.0.0.1")
}

// instead answers with a body in which something is missing or different.
func instead(path, body, what, by string) func(http.ResponseWriter, *http.Request) bool {
	return on(path, status(200, strings.Replace(body, what, by, 1)))
}

// refusingBody refuses requests with a sign in their body.
func refusingBody(sign string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err != nil || !bytes.Contains(body, []byte(sign)) {
			return false
		}
		openAIError(w, http.StatusBadRequest, "no")
		return true
	}
}

// toLong answers prompts of more than the context.
func toLong(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.ContentLength > contextSize {
			answer(w, r)
		}
		return r.ContentLength > contextSize
	}
}

// strictly refuses every conversation but one user message, as some chat templates do.
func strictly(w http.ResponseWriter, r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil || bytes.Count(body, []byte(`"role"`)) < 2 {
		return false
	}
	http.Error(w, "roles must alternate", http.StatusInternalServerError)
	return true
}

// dying answers no chat after a long prompt.
func dying() func(http.ResponseWriter, *http.Request) bool {
	var dead atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case dead.Load():
			http.Error(w, "connection refused", http.StatusInternalServerError)
		case r.ContentLength > contextSize:
			dead.Store(true)
			refuseLong(w, r)
		default:
			return false
		}
		return true
	}
}

// on answers requests for one path, the others are left to the good appliance.
func on(path string, answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == path {
			answer(w, r)
		}
		return r.URL.Path == path
	}
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// edited changes the headers of a good answer just before they are sent.
func edited(path string, edit func(http.Header)) func(http.ResponseWriter, *http.Request) bool {
	return on(path, func(w http.ResponseWriter, r *http.Request) {
		serveHTTPS(&editor{w, edit}, r)
	})
}

type editor struct {
	http.ResponseWriter
	edit func(http.Header)
}

func (e *editor) WriteHeader(status int) {
	if e.edit != nil {
		e.edit(e.Header())
		e.edit = nil
	}
	e.ResponseWriter.WriteHeader(status)
}

func (e *editor) Write(p []byte) (int, error) {
	if e.edit != nil {
		e.WriteHeader(http.StatusOK)
	}
	return e.ResponseWriter.Write(p)
}

// accepting lets in everybody whose request fits.
func accepting(fits func(*http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !fits(r) {
			return false
		}
		r.Header.Set("Authorization", "Bearer "+rightPassword)
		serveHTTPS(w, r)
		return true
	}
}

// refusing keeps out requests that carry a header of this beginning.
func refusing(header, beginning string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		refused := strings.HasPrefix(r.Header.Get(header), beginning) && r.Header.Get(header) != ""
		if refused {
			openAIError(w, http.StatusUnauthorized, "no")
		}
		return refused
	}
}

func duplicate(header http.Header) { header.Add("Access-Control-Allow-Origin", "*") }

// Each check must fail on the breakage it is there for, and say what was wrong.
func TestEachCheckFindsItsBreakage(t *testing.T) {
	other := newAuthority(t)
	tests := map[string]struct {
		check  string
		broken fake
		want   string
	}{
		"another root": {"root certificate is offered", fake{offered: other}, "it is not the root that clients were told to trust"},
		"no root":      {"root certificate is offered", fake{http: on("/ca.pem", status(404, ""))}, "expected status 200, got 404"},
		"a page instead of the root": {"root certificate is offered", fake{http: on("/ca.pem", status(200, "<html>"))},
			"expected one certificate in PEM form"},
		"the key beside the root": {"root certificate is offered", fake{http: on("/ca.pem", status(200, string(other.pem)+
			string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("x")}))))}, "and nothing else"},
		"signed by another root": {"certificate is trusted", fake{tls: func(c *tls.Config) {
			c.Certificates[0] = other.leaf(t, []string{"127.0.0.1", "10.0.2.15"})
		}}, "certificate signed by unknown authority"},
		"an address is not in it":   {"certificate is trusted", fake{names: []string{"127.0.0.1"}}, "10.0.2.15"},
		"no TLS 1.2":                {"TLS 1.2 and 1.3 are spoken", fake{tls: func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }}, "TLS 1.2: remote error"},
		"no TLS 1.3":                {"TLS 1.2 and 1.3 are spoken", fake{tls: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }}, "TLS 1.3: remote error"},
		"TLS 1.1":                   {"TLS 1.1 is refused", fake{tls: func(c *tls.Config) { c.MinVersion = tls.VersionTLS10 }}, "the appliance speaks TLS 1.1"},
		"served without TLS":        {"http redirects to https", fake{http: on("/v1/models", status(200, "{}"))}, "expected status 301, got 200"},
		"a temporary redirect":      {"http redirects to https", fake{http: on("/v1/models", status(302, ""))}, "expected status 301, got 302"},
		"a redirect that forgets":   {"http redirects to https", fake{http: on("/v1/models", redirect("https://127.0.0.1/"))}, `Location "https://127.0.0.1/"`},
		"a redirect in clear":       {"http redirects to https", fake{http: on("/v1/models", redirect("http://127.0.0.1/v1/models?redirect=1"))}, "over https"},
		"a redirect elsewhere":      {"http redirects to https", fake{http: on("/v1/models", redirect("https://localhost/v1/models?redirect=1"))}, "same host"},
		"health asks for it":        {"health needs no password", fake{https: on("/health", status(401, ""))}, "expected status 200, got 401"},
		"not ready":                 {"health needs no password", fake{https: on("/health", status(503, "loading"))}, `got 503: "loading"`},
		"everybody gets in":         {"no credentials are refused", fake{https: accepting(anybody)}, "GET /v1/models: expected status 401, got 200"},
		"chat is open":              {"no credentials are refused", fake{https: accepting(onlyPath("/v1/chat/completions"))}, "POST /v1/chat/completions: expected status 401"},
		"completions are open":      {"no credentials are refused", fake{https: accepting(onlyPath("/v1/completions"))}, "POST /v1/completions: expected status 401"},
		"no challenge":              {"no credentials are refused", fake{https: edited("/v1/models", func(h http.Header) { h.Del("WWW-Authenticate") })}, "WWW-Authenticate is missing"},
		"a page for an error":       {"no credentials are refused", fake{https: on("/v1/models", challenge("text/html", "<html>"))}, `got Content-Type "text/html"`},
		"an error of another shape": {"no credentials are refused", fake{https: on("/v1/models", challenge("application/json", `{"error":"no"}`))}, "the error is not JSON"},
		"an error without words":    {"no credentials are refused", fake{https: on("/v1/models", challenge("application/json", `{"error":{"type":"x"}}`))}, "expected error.message"},
		"case does not matter": {"wrong credentials are refused", fake{https: accepting(func(r *http.Request) bool {
			return strings.EqualFold(r.Header.Get("Authorization"), "Bearer "+rightPassword)
		})}, "Bearer with the password in other case: expected status 401"},
		"any Basic gets in":            {"wrong credentials are refused", fake{https: accepting(hasPrefix("Authorization", "Basic"))}, "Basic with"},
		"any x-api-key":                {"wrong credentials are refused", fake{https: accepting(hasPrefix("X-Api-Key", "n"))}, "x-api-key with"},
		"a prefix is enough":           {"wrong credentials are refused", fake{https: accepting(hasPrefix("X-Api-Key", rightPassword+"x"))}, "x-api-key with a longer password"},
		"no Bearer":                    {"Bearer is accepted", fake{https: refusing("Authorization", "Bearer")}, "expected status 200, got 401"},
		"no Basic":                     {"Basic is accepted", fake{https: refusing("Authorization", "Basic")}, "expected status 200, got 401"},
		"no x-api-key":                 {"x-api-key is accepted", fake{https: refusing("X-Api-Key", "")}, "expected status 200, got 401"},
		"another model":                {"models lists the model", fake{https: on("/v1/models", status(200, `{"data":[{"id":"tiny"}]}`))}, `expected "devstral-small-2" in the list, got ["tiny"]`},
		"no list":                      {"models lists the model", fake{https: on("/v1/models", status(200, `[]`))}, "is not the JSON of a model or a list"},
		"a model of no time":           {"models lists the model", fake{https: instead("/v1/models", modelList, `"created"`, `"made"`)}, "expected created of the model in the list, got <nil>"},
		"a model of nobody":            {"models lists the model", fake{https: instead("/v1/models", modelList, `"slm-copilot"`, `""`)}, "expected owned_by of the model in the list"},
		"a model of no context":        {"models lists the model", fake{https: instead("/v1/models", modelList, `40000`, `0`)}, "expected context_length of the model in the list, got 0"},
		"no model alone":               {"models lists the model", fake{https: on("/v1/models/devstral-small-2", status(404, ""))}, "GET /v1/models/devstral-small-2: expected status 200, got 404"},
		"a model that differs":         {"models lists the model", fake{https: instead("/v1/models/devstral-small-2", theModel, `40000`, `4096`)}, "expected the model as it is in the list"},
		"no list without a version":    {"models lists the model", fake{https: on("/models", status(404, ""))}, "GET /models: expected status 200, got 404"},
		"a list that differs":          {"models lists the model", fake{https: on("/models", status(200, `{"data":[]}`))}, "GET /models: expected the list of /v1/models"},
		"no list behind a slash":       {"models lists the model", fake{https: on("/v1/models/", status(404, ""))}, "GET /v1/models/: expected status 200, got 404"},
		"no Responses":                 {"Responses answers", fake{https: on("/v1/responses", status(404, ""))}, "expected status 200, got 404"},
		"Responses in one piece":       {"Responses answers", fake{https: on("/v1/responses", status(200, "{}"))}, "expected a stream of events"},
		"Responses that fail":          {"Responses answers", fake{https: on("/v1/responses", events("response.created", "response.failed"))}, `got "{\"type\":\"response.failed\"}"`},
		"Responses without text":       {"Responses answers", fake{https: on("/v1/responses", events("response.created", "response.completed"))}, "the answer holds no text"},
		"Responses without an event":   {"Responses answers", fake{https: on("/v1/responses", events())}, "the stream holds no event"},
		"Responses like a chat":        {"Responses answers", fake{https: on("/v1/responses", stream200("data: [DONE]\n\n"))}, "an event that is not JSON"},
		"Responses are open":           {"no credentials are refused", fake{https: accepting(onlyPath("/v1/responses"))}, "POST /v1/responses: expected status 401"},
		"no Messages":                  {"Messages answers", fake{https: on("/v1/messages", status(404, ""))}, "expected status 200, got 404"},
		"Messages without an end":      {"Messages answers", fake{https: on("/v1/messages", events("message_start", "content_block_delta"))}, `expected the last event to be one of ["message_stop"]`},
		"Messages without text":        {"Messages answers", fake{https: on("/v1/messages", events("message_start", "message_stop"))}, "the answer holds no text"},
		"Messages are open":            {"no credentials are refused", fake{https: accepting(onlyPath("/v1/messages"))}, "POST /v1/messages: expected status 401"},
		"counting is open":             {"no credentials are refused", fake{https: accepting(onlyPath("/v1/messages/count_tokens"))}, "POST /v1/messages/count_tokens: expected status 401"},
		"no counting":                  {"Messages answers", fake{https: on("/v1/messages/count_tokens", status(404, ""))}, "POST /v1/messages/count_tokens: expected status 200, got 404"},
		"counting to nothing":          {"Messages answers", fake{https: on("/v1/messages/count_tokens", status(200, `{"input_tokens":0}`))}, "expected the number input_tokens"},
		"counting in words":            {"Messages answers", fake{https: on("/v1/messages/count_tokens", status(200, `{"input_tokens":"many"}`))}, "expected the number input_tokens"},
		"an empty answer":              {"chat answers", fake{https: chat(`{"choices":[{"message":{"content":""}}]}`)}, "the answer holds no text"},
		"no choices":                   {"chat answers", fake{https: chat(`{}`)}, "the answer holds no text"},
		"a dead backend":               {"chat answers", fake{https: on("/v1/chat/completions", status(500, "connection refused"))}, `got 500: "connection refused"`},
		"a single token":               {"chat streams", fake{https: chatStream(func(w io.Writer) { stream(w, "one") })}, "expected several tokens, got 1"},
		"an answer of reasoning":       {"chat answers", fake{https: chat(`{"choices":[{"message":{"content":"","reasoning":"hm"}}]}`)}, "the model only thought"},
		"an error about the middle":    {"completion in the editor is answered, or refused", fake{https: on("/v1/completions", refusal(`{"error":{"message":"no","type":"x","param":"prompt"}}`))}, `expected an error about suffix, got one about "prompt": "no"`},
		"an error without a reason":    {"completion in the editor is answered, or refused", fake{https: on("/v1/completions", refusal(`{}`))}, "expected error.message"},
		"a message for the middle":     {"completion in the editor is answered, or refused", fake{https: on("/v1/completions", status(200, `{"choices":[{"message":{"content":"a"}}]}`))}, "expected one text"},
		"a page for the middle":        {"completion in the editor is answered, or refused", fake{https: on("/v1/completions", status(200, "<html>"))}, "the answer is not JSON"},
		"no answer for the middle":     {"completion in the editor is answered, or refused", fake{https: on("/v1/completions", status(500, "no"))}, "expected status 200, got 500"},
		"a strict template":            {"histories of agents are accepted", fake{https: strictly}, "two user messages in a row: expected status 200, got 500: \"roles must alternate"},
		"a template with no developer": {"histories of agents are accepted", fake{https: strictly}, "developer messages: expected status 200, got 500"},
		"long ids are refused":         {"histories of agents are accepted", fake{https: refusingBody(`"chatcmpl-tool-0123456789"`)}, "a tool call with an id of 24 characters: expected status 200, got 400"},
		"no arguments are refused":     {"histories of agents are accepted", fake{https: refusingBody(`"arguments":""`)}, "a tool call without arguments: expected status 200, got 400"},
		"parts are refused":            {"histories of agents are accepted", fake{https: refusingBody(`"type":"text"`)}, "contents in parts: expected status 200, got 400"},
		"a developer between":          {"histories of agents are accepted", fake{https: strictly}, "a developer message between others: expected status 200, got 500"},
		"an endless context":           {"a prompt too long is refused", fake{https: chat(`{}`)}, "expected status 400, got 200"},
		"a stream that fails":          {"a prompt too long is refused", fake{https: toLong(events("error"))}, "expected status 400, got 200"},
		"a prompt that is an accident": {"a prompt too long is refused", fake{https: toLong(status(500, "rpc error"))}, `expected status 400, got 500: "rpc error"`},
		"a refusal with no code":       {"a prompt too long is refused", fake{https: toLong(refusal(`{"error":{"message":"no","type":"x"}}`))}, `expected the code context_length_exceeded, got ""`},
		"a context of no known length": {"a prompt too long is refused", fake{https: instead("/v1/models", modelList, `40000`, `0`)}, "expected context_length"},
		"a long word that is answered": {"a prompt too long is survived", fake{https: toLong(status(200, `{"choices":[]}`))}, "more than the context holds, were answered with status 200"},
		"an engine that restarts":      {"a prompt too long is survived", fake{https: toLong(refusal(`{"error":{"message":"restarts","type":"x","code":"model_unavailable"}}`))}, `got "model_unavailable": "restarts"`},
		"an engine that dies":          {"a prompt too long is survived", fake{https: dying()}, `and the engine does not answer any more: expected status 200, got 500: "connection refused`},
		"no end mark":                  {"chat streams", fake{https: chatStream(func(w io.Writer) { _, _ = io.WriteString(w, "data: {}\n\n") })}, "before its end mark"},
		"not a stream":                 {"chat streams", fake{https: chat(`{"choices":[]}`)}, "expected a stream of events"},
		"preflight asks":               {"preflight needs no password", fake{https: preflight(status(401, ""))}, "expected status 204, got 401"},
		"preflight of 200":             {"preflight needs no password", fake{https: preflight(status(200, ""))}, "expected status 204, got 200"},
		"preflight twice":              {"preflight needs no password", fake{https: edited("/v1/chat/completions", duplicate)}, `got ["*" "*"]`},
		"no methods":                   {"preflight needs no password", fake{https: edited("/v1/chat/completions", without("Access-Control-Allow-Methods"))}, "Access-Control-Allow-Methods once, got []"},
		"wildcard headers":             {"preflight needs no password", fake{https: edited("/v1/chat/completions", wildcardHeaders)}, `expected authorization in Access-Control-Allow-Headers, got "*"`},
		"CORS twice":                   {"CORS headers appear once", fake{https: edited("/v1/models", duplicate)}, `GET /v1/models, status 200: expected the header`},
		"CORS never":                   {"CORS headers appear once", fake{https: edited("/v1/models", without("Access-Control-Allow-Origin"))}, "got []"},
		"CORS not on errors":           {"CORS headers appear once", fake{https: edited("/v1/models", withoutOn401)}, "GET /v1/models, status 401"},
		"CORS for another":             {"CORS headers appear once", fake{https: edited("/health", another)}, `GET /health, status 200`},
		"unknown is answered":          {"unknown path is not found", fake{https: on("/v1/no-such-path", status(200, ""))}, "expected status 404, got 200"},
		"unknown is a page":            {"unknown path is not found", fake{https: on("/v1/no-such-path", status(404, "<html>"))}, "expected a JSON error"},
		"embeddings":                   {"embeddings are refused", fake{https: on("/v1/embeddings", status(200, "{}"))}, "expected status 404, got 200"},
		"no word of embeddings":        {"embeddings are refused", fake{https: on("/v1/embeddings", func(w http.ResponseWriter, _ *http.Request) { openAIError(w, 404, "no such path") })}, `says that there are no embeddings, got "no such path"`},
		"a page for embeddings":        {"embeddings are refused", fake{https: on("/v1/embeddings", status(404, "<html>"))}, "expected a JSON error"},
		"an open route":                {"administration is closed", fake{https: on("/system", status(200, "{}"))}, "GET /system: expected status 404, got 200"},
		"no word of the cut":           {"an answer cut by max_tokens says length", fake{https: chat(`{"choices":[{"message":{"content":"one two"},"finish_reason":"stop"}]}`)}, `got "stop"`},
		"no choice of length":          {"an answer cut by max_tokens says length", fake{https: chat(`{}`)}, "expected one choice"},
		"a text in place of a call":    {"a tool is called, and its result is read", fake{https: chat(`{"choices":[{"message":{"content":"noon"},"finish_reason":"stop"}]}`)}, `the call: expected a call of the tool, got the text "noon"`},
		"a call of another tool":       {"a tool is called, and its result is read", fake{https: chat(strings.Replace(goodCall, "clock", "ls", 1))}, `expected a call of the tool clock, got "ls"`},
		"a call without an id":         {"a tool is called, and its result is read", fake{https: chat(strings.Replace(goodCall, "abcdefghi", "", 1))}, "the call has no id"},
		"a call that was cut":          {"a tool is called, and its result is read", fake{https: chat(strings.Replace(goodCall, `"{}"`, `"{"`, 1))}, `expected arguments in JSON, got "{"`},
		"a call that ends in stop":     {"a tool is called, and its result is read", fake{https: chat(strings.Replace(goodCall, `"tool_calls"}`, `"stop"}`, 1))}, `expected finish_reason tool_calls, got "stop"`},
		"results are refused":          {"a tool is called, and its result is read", fake{https: refusingBody(`"role":"tool"`)}, "the result of the tool: expected status 200, got 400"},
		"one client at a time":         {"four clients at once are answered", fake{https: oneAtATime()}, "of 4 were not answered: expected status 200, got 503"},
		"requests are lost":            {"metrics add up and hold no secret", fake{https: instead("/metrics", goodMetrics, "in_hand 2", "in_hand 1")}, "got 5, 3 and 1"},
		"nothing is counted":           {"metrics add up and hold no secret", fake{https: on("/metrics", status(200, ""))}, "got 0, 0 and 0"},
		"no metrics":                   {"metrics add up and hold no secret", fake{https: on("/metrics", status(404, ""))}, "expected status 200, got 404"},
		"a page for metrics":           {"metrics add up and hold no secret", fake{https: on("/metrics", status(200, "<html>"))}, `expected a number at the end of the line "<html>"`},
		"a password in the metrics":    {"metrics add up and hold no secret", fake{https: instead("/metrics", goodMetrics, "a b", rightPassword)}, "they contain the password"},
		"a large body is read":         {"a body too large is refused", fake{https: large(status(400, "no"))}, "expected status 413, got 400"},
		"a large body is a page":       {"a body too large is refused", fake{https: large(status(413, "<html>"))}, "expected a JSON error"},
		"a large body without a code":  {"a body too large is refused", fake{https: large(func(w http.ResponseWriter, _ *http.Request) { openAIError(w, 413, "no") })}, `expected the code request_too_large, got ""`},
		"a disguised route": {"administration is closed", fake{https: func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.RawPath != "" // answers 200
		}}, "POST /%62ackend/shutdown: expected status 404, got 200"},
	}
	// The faults of these take time; the tests below have them.
	covered := map[string]bool{
		"a client that goes away frees the engine": true, "signs of life while a prompt is read": true, "a second turn begins no later than the first": true,
	}
	for name, test := range tests {
		covered[test.check] = true
		t.Run(name, func(t *testing.T) {
			_, err := find(t, test.check).Run(t.Context(), test.broken.start(t))
			assert.ErrorContains(t, err, test.want)
		})
	}
	for _, check := range Checks() {
		assert.True(t, covered[check.Name], "no breakage is tested for %q", check.Name)
	}
}

func find(t *testing.T, name string) Check {
	t.Helper()
	for _, check := range Checks() {
		if check.Name == name {
			return check
		}
	}
	t.Fatalf("there is no check %q", name)
	return Check{}
}

// oneAtATime refuses a chat while another one is answered, which takes until somebody is refused.
func oneAtATime() func(http.ResponseWriter, *http.Request) bool {
	var busy atomic.Bool
	refused := make(chan struct{}, 3)
	return on("/v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		if !busy.CompareAndSwap(false, true) {
			refused <- struct{}{}
			openAIError(w, http.StatusServiceUnavailable, "busy")
			return
		}
		<-refused
		serveHTTPS(w, r)
	})
}

// large answers requests that announce more than the appliance takes.
func large(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.ContentLength > 15_000_000 {
			answer(w, r)
		}
		return r.ContentLength > 15_000_000
	}
}

func anybody(*http.Request) bool { return true }

func onlyPath(path string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.URL.Path == path }
}

func hasPrefix(header, prefix string) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.HasPrefix(r.Header.Get(header), prefix) }
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusMovedPermanently)
	}
}

func challenge(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, body)
	}
}

func chat(body string) func(http.ResponseWriter, *http.Request) bool {
	return on("/v1/chat/completions", status(200, body))
}

func chatStream(write func(io.Writer)) func(http.ResponseWriter, *http.Request) bool {
	return on("/v1/chat/completions", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		write(w)
	})
}

func stream200(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, text)
	}
}

func preflight(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodOptions {
			answer(w, r)
		}
		return r.Method == http.MethodOptions
	}
}

func without(name string) func(http.Header) {
	return func(h http.Header) { h.Del(name) }
}

func withoutOn401(h http.Header) {
	if h.Get("WWW-Authenticate") != "" {
		h.Del("Access-Control-Allow-Origin")
	}
}

func wildcardHeaders(h http.Header) { h.Set("Access-Control-Allow-Headers", "*") }

func another(h http.Header) { h.Set("Access-Control-Allow-Origin", "https://other.example.org") }

func TestRunGoesOnAfterAFailure(t *testing.T) {
	broken := fake{https: on("/health", status(503, "loading"))}
	results, err := Run(t.Context(), broken.start(t), Checks(), func(Result) {})
	require.NoError(t, err)
	require.Len(t, results, len(Checks()))
	var failed []string
	for _, result := range results {
		if !result.Passed {
			failed = append(failed, result.Name)
		}
	}
	assert.Equal(t, []string{"health needs no password", "CORS headers appear once"}, failed)
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	check := Check{Timeout: time.Minute, Run: func(context.Context, *Target) (string, error) {
		asked++
		cancel()
		return "", nil
	}}
	_, err := Run(ctx, nil, []Check{check, check}, func(Result) {})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, asked)
}

func FuzzParseRoot(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if root, err := parseRoot(text); err == nil {
			assert.True(t, root.IsCA)
		}
	})
}

// Where the engine takes its time, the gateway has sent white space before the error.
func TestALongWordThatASlowEngineRefuses(t *testing.T) {
	slow := fake{https: toLong(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "\n\n")
		refuseLong(w, r)
	})}
	detail, err := longPromptSurvived(t.Context(), slow.start(t))
	require.NoError(t, err)
	assert.Contains(t, detail, "status 200")
}

// The gateway takes 3.5 bytes for a token and lets prompts of three quarters of the context pass;
// from 30 KB on the run ends an engine.
func TestDenseTextReachesTheEngine(t *testing.T) {
	for _, size := range []int{4096, 32768, 131072} {
		text := denseText(size)
		run := len(text) - len(strings.TrimLeft(text, "a"))
		assert.Less(t, float64(len(text))/3.5, 0.75*float64(size), size)
		assert.Greater(t, len(text)-run, size)
		if size >= 32768 {
			assert.Greater(t, run, 30<<10)
		}
	}
}

// /models/apply is a model by that name to the gateway, which can only be looked at.
func TestAnotherMethodIsClosedToo(t *testing.T) {
	readable := fake{https: on("/models/apply", status(http.StatusMethodNotAllowed, ""))}
	_, err := administrationClosed(t.Context(), readable.start(t))
	assert.NoError(t, err)
}

// Behind a floating address the machine is not known by the name that clients use.
func TestAnExplanationInPlaceOfARedirect(t *testing.T) {
	explained := fake{http: on("/v1/models", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":"use https","type":"invalid_request_error","code":"https_required"}}`)
	})}
	detail, err := redirects(t.Context(), explained.start(t))
	require.NoError(t, err)
	assert.Equal(t, "not for 127.0.0.1, with an explanation", detail)
}

// One request a minute is a setting, not a fault.
func TestARateLimitIsWaitedFor(t *testing.T) {
	refused := 0
	limited := fake{https: func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/chat/completions" || refused == 2 {
			return false
		}
		refused++
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}}
	target := limited.start(t)
	var said []string
	target.Say = func(line string) { said = append(said, line) }
	_, err := chatAnswers(t.Context(), target)
	require.NoError(t, err, "the body is sent again")
	assert.Equal(t, []string{"waiting 1 s, as the rate limit asks", "waiting 1 s, as the rate limit asks"}, said)

	for name, header := range map[string]string{"nothing said": "", "a date": "Wed, 21 Oct 2015 07:28:00 GMT", "no time": "0"} {
		refusal := fake{https: on("/v1/models", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusTooManyRequests)
		})}
		_, err := modelListed(t.Context(), refusal.start(t))
		assert.ErrorContains(t, err, "got 429", name)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	target.Say = func(string) { cancel(errors.New("it takes too long")) }
	refused = 0
	_, err = chatAnswers(ctx, target)
	assert.ErrorContains(t, err, "it takes too long")
}

func TestOverHTTPSNeedsNoHTTPPort(t *testing.T) {
	target := fake{}.start(t)
	target.HTTP = "127.0.0.1:1"
	checks := OverHTTPS(Checks())
	assert.Len(t, checks, len(Checks())-2)
	_, err := Run(t.Context(), target, checks, func(r Result) { assert.True(t, r.Passed, r) })
	require.NoError(t, err)
}

// A model that does not fill in the middle must say so.
func TestARefusalToFillInTheMiddleIsNoMistake(t *testing.T) {
	target := fake{https: on("/v1/completions", refusal(`{"error":{"message":"it has no tokens for that","type":"invalid_request_error","param":"suffix"}}`))}.start(t)
	detail, err := middleFilled(t.Context(), target)
	require.NoError(t, err)
	assert.Equal(t, "the model does not fill in the middle", detail)
	detail, err = middleFilled(t.Context(), fake{}.start(t))
	require.NoError(t, err)
	assert.Equal(t, "answered, 5 characters", detail)
}

func TestEachCheckSaysWhatItIsFor(t *testing.T) {
	keys := map[string]bool{}
	for _, check := range Checks() {
		assert.Regexp(t, `^[a-z][a-z0-9-]*$`, check.Key)
		assert.False(t, keys[check.Key], "%s is the key of two checks", check.Key)
		keys[check.Key] = true
		for _, sentence := range []string{check.Requirement, check.Remedy} {
			assert.Regexp(t, "^[A-Z/`].*\\.$", sentence, check.Key)
			assert.NotContains(t, sentence, ". ", "one sentence: %s", check.Key)
		}
	}
}

func TestSelect(t *testing.T) {
	all := Checks()
	for name, tt := range map[string]struct{ only, skip, want []string }{
		"all":          {nil, nil, Keys(all)},
		"one":          {[]string{"chat-streams"}, nil, []string{"chat-streams"}},
		"in order":     {[]string{"chat-streams", "health-open"}, nil, []string{"health-open", "chat-streams"}},
		"without some": {nil, Keys(all)[1:], Keys(all)[:1]},
		"both":         {[]string{"chat-streams", "health-open"}, []string{"health-open"}, []string{"chat-streams"}},
	} {
		t.Run(name, func(t *testing.T) {
			chosen, err := Select(all, tt.only, tt.skip)
			require.NoError(t, err)
			assert.Equal(t, tt.want, Keys(chosen))
		})
	}
	_, err := Select(all, []string{"chat"}, []string{"health", "chat-streams"})
	assert.EqualError(t, err, `there is no check "chat", "health"; the keys are `+strings.Join(Keys(all), ", "))
	_, err = Select(all, []string{"chat-streams"}, []string{"chat-streams"})
	assert.ErrorContains(t, err, "no check is left")
}
