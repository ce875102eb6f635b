package acceptance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// origin is the CORS origin of a web page that uses the appliance.
const origin = "https://ide.example.org"

func fromPage(r *http.Request) {
	r.Header.Set("Origin", origin)
}

func preflightOpen(ctx context.Context, t *Target) (string, error) {
	answer, err := t.ask(ctx, http.MethodOptions, appliance.PathChat, fromPage, func(r *http.Request) {
		r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		r.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
	})
	if err != nil {
		return "", err
	}
	if err := answer.expect(http.StatusNoContent); err != nil {
		return "", err
	}
	if err := allowsOrigin(answer); err != nil {
		return "", err
	}
	for header, want := range map[string][]string{
		"Access-Control-Allow-Methods": {"post"},
		// A "*" does not cover Authorization (Fetch standard, "CORS-preflight fetch").
		"Access-Control-Allow-Headers": {"authorization", "content-type"},
	} {
		if err := lists(answer, header, want); err != nil {
			return "", err
		}
	}
	return "", nil
}

// lists requires the header exactly once, containing all of the wanted words.
func lists(a answer, header string, want []string) error {
	values := a.header.Values(header)
	if len(values) != 1 {
		return fmt.Errorf("expected the header %s once, got %q", header, values)
	}
	listed := map[string]bool{}
	for _, word := range strings.Split(values[0], ",") {
		listed[strings.ToLower(strings.TrimSpace(word))] = true
	}
	for _, word := range want {
		if !listed[word] {
			return fmt.Errorf("expected %s in %s, got %q", word, header, values[0])
		}
	}
	return nil
}

// allowsOrigin requires the CORS header exactly once: browsers reject a response that has it
// twice.
func allowsOrigin(a answer) error {
	values := a.header.Values("Access-Control-Allow-Origin")
	if len(values) != 1 || (values[0] != "*" && values[0] != origin) {
		return fmt.Errorf("expected the header Access-Control-Allow-Origin once, as * or %s, got %q", origin, values)
	}
	return nil
}

func corsOnce(ctx context.Context, t *Target) (string, error) {
	noCredentials := func(*http.Request) {}
	for _, page := range []struct {
		path   string
		edit   func(*http.Request)
		status int
	}{
		{appliance.PathModels, t.authorized, http.StatusOK},
		{appliance.PathModels, noCredentials, http.StatusUnauthorized},
		{appliance.PathHealth, noCredentials, http.StatusOK},
	} {
		answer, err := t.ask(ctx, http.MethodGet, page.path, fromPage, page.edit)
		if err == nil {
			err = answer.expect(page.status)
		}
		if err == nil {
			err = allowsOrigin(answer)
		}
		if err != nil {
			return "", fmt.Errorf("GET %s, status %d: %w", page.path, page.status, err)
		}
	}
	return "", nil
}

// largeBodyRefused announces a body of one byte too many, and sends it only to an appliance that asks for it.
func largeBodyRefused(ctx context.Context, t *Target) (string, error) {
	answer, err := t.ask(ctx, http.MethodPost, appliance.PathChat, t.authorized, func(r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Expect", "100-continue")
		r.ContentLength = appliance.BodyLimit + 1
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(blanks{}, r.ContentLength)), nil }
		r.Body, _ = r.GetBody()
	})
	if err != nil {
		return "", err
	}
	if err := answer.expect(http.StatusRequestEntityTooLarge); err != nil {
		return "", err
	}
	said, err := openAIErrorOf(answer)
	if err == nil && said.Code != "request_too_large" {
		err = fmt.Errorf("expected the code request_too_large, got %q: %q", said.Code, said.Message)
	}
	return fmt.Sprintf("%d bytes", appliance.BodyLimit+1), err
}

// blanks is an endless text.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func unknownNotFound(ctx context.Context, t *Target) (string, error) {
	answer, err := t.ask(ctx, http.MethodGet, "/v1/no-such-path", t.authorized)
	if err != nil {
		return "", err
	}
	if err := answer.expect(http.StatusNotFound); err != nil {
		return "", err
	}
	return "", isOpenAIError(answer)
}

// embeddingsRefused requires an error that says so: clients that search a code base by embeddings
// ask for them without having been told that there are some.
func embeddingsRefused(ctx context.Context, t *Target) (string, error) {
	answer, err := t.ask(ctx, http.MethodPost, "/v1/embeddings", t.authorized, jsonBody(map[string]string{
		"model": t.Model, "input": "one",
	}))
	if err != nil {
		return "", err
	}
	if err := answer.expect(http.StatusNotFound); err != nil {
		return "", err
	}
	said, err := openAIErrorOf(answer)
	if err == nil && !strings.Contains(said.Message, "embeddings") {
		err = fmt.Errorf("expected an error that says that there are no embeddings, got %q", said.Message)
	}
	return "", err
}

// closedRoutes are routes that LocalAI v4.9.0 answers even with all its optional parts
// disabled, so a 404 can only come from nginx or the gateway, and so can a 405: to them, what is
// below /models is a model that can be looked at. The last ones are disguised paths.
var closedRoutes = []struct{ method, path string }{
	{http.MethodGet, "/system"},
	{http.MethodGet, "/swagger/index.html"},
	{http.MethodGet, "/api/traces"},
	{http.MethodGet, "/api/tags"},
	{http.MethodGet, "/api/p2p/token"},
	{http.MethodGet, "/.well-known/localai.json"},
	{http.MethodPost, "/models/apply"},
	{http.MethodPost, "/backends/apply"},
	{http.MethodPost, "/tts"},
	{http.MethodPost, "/backend/shutdown"},
	{http.MethodPost, "//backend/shutdown"},
	{http.MethodPost, "/v1/models/../../backend/shutdown"},
	{http.MethodPost, "/%62ackend/shutdown"},
}

func administrationClosed(ctx context.Context, t *Target) (string, error) {
	// With the name of the loaded model the request would stop it; without a name, LocalAI
	// itself answers 404.
	body := jsonBody(map[string]string{"model": t.Model})
	for _, route := range closedRoutes {
		answer, err := t.ask(ctx, route.method, route.path, t.authorized, body)
		if err == nil && answer.status != http.StatusMethodNotAllowed {
			err = answer.expect(http.StatusNotFound)
		}
		if err != nil {
			return "", fmt.Errorf("%s %s: %w", route.method, route.path, err)
		}
	}
	return fmt.Sprintf("%d routes", len(closedRoutes)), nil
}
