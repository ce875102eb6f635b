package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// credentials add a password to a request, in one of the ways clients do.
type credentials struct {
	name string
	set  func(*http.Request, string)
}

var (
	bearer = credentials{"Bearer", func(r *http.Request, password string) { r.Header.Set("Authorization", "Bearer "+password) }}
	basic  = credentials{"Basic", func(r *http.Request, password string) { r.SetBasicAuth(appliance.APIUser, password) }}
	apiKey = credentials{"x-api-key", func(r *http.Request, password string) { r.Header.Set("X-Api-Key", password) }}
)

func bearerAccepted(ctx context.Context, t *Target) (string, error) {
	return accepted(ctx, t, bearer)
}

func basicAccepted(ctx context.Context, t *Target) (string, error) {
	return accepted(ctx, t, basic)
}

func apiKeyAccepted(ctx context.Context, t *Target) (string, error) {
	return accepted(ctx, t, apiKey)
}

func accepted(ctx context.Context, t *Target, c credentials) (string, error) {
	answer, err := t.ask(ctx, http.MethodGet, appliance.PathModels, func(r *http.Request) { c.set(r, t.Password) })
	if err != nil {
		return "", err
	}
	return "", answer.expect(http.StatusOK)
}

func healthOpen(ctx context.Context, t *Target) (string, error) {
	answer, err := t.ask(ctx, http.MethodGet, appliance.PathHealth)
	if err != nil {
		return "", err
	}
	return "", answer.expect(http.StatusOK)
}

func noCredentialsRefused(ctx context.Context, t *Target) (string, error) {
	for _, route := range []struct{ method, path string }{
		{http.MethodGet, appliance.PathModels},
		{http.MethodPost, appliance.PathChat},
		{http.MethodPost, appliance.PathCompletions},
		{http.MethodPost, appliance.PathResponses},
		{http.MethodPost, appliance.PathMessages},
		{http.MethodPost, appliance.PathCountTokens},
	} {
		answer, err := t.ask(ctx, route.method, route.path)
		if err == nil {
			err = isRefusal(answer)
		}
		if err != nil {
			return "", fmt.Errorf("%s %s: %w", route.method, route.path, err)
		}
	}
	return "", nil
}

func wrongCredentialsRefused(ctx context.Context, t *Target) (string, error) {
	for _, c := range []credentials{bearer, basic, apiKey} {
		for kind, password := range wrongPasswords(t.Password) {
			answer, err := t.ask(ctx, http.MethodGet, appliance.PathModels, func(r *http.Request) { c.set(r, password) })
			if err == nil {
				err = isRefusal(answer)
			}
			if err != nil {
				return "", fmt.Errorf("%s with %s: %w", c.name, kind, err)
			}
		}
	}
	return "", nil
}

// wrongPasswords are close to the right one, because a careless comparison fails on such
// values.
func wrongPasswords(right string) map[string]string {
	wrong := map[string]string{
		"no password":             "",
		"a longer password":       right + "x",
		"a shorter password":      right[:len(right)-1],
		"a password, another one": "not-" + right,
	}
	if swapped := strings.Map(swapCase, right); swapped != right {
		wrong["the password in other case"] = swapped
	}
	return wrong
}

func swapCase(r rune) rune {
	if unicode.IsUpper(r) {
		return unicode.ToLower(r)
	}
	return unicode.ToUpper(r)
}

// isRefusal requires a 401 that tells both people and SDKs what to do.
func isRefusal(a answer) error {
	if err := a.expect(http.StatusUnauthorized); err != nil {
		return err
	}
	if a.header.Get("WWW-Authenticate") == "" {
		return errors.New("the header WWW-Authenticate is missing, so a browser will not ask for the password")
	}
	return isOpenAIError(a)
}

// apiError is the error format that OpenAI's SDKs parse; Anthropic's read the same two fields.
type apiError struct {
	Message string `json:"message"`
	Type    string `json:"type"`
	Code    string `json:"code"`
	Param   string `json:"param"`
}

func isOpenAIError(a answer) error {
	_, err := openAIErrorOf(a)
	return err
}

// openAIErrorOf returns the error of an answer, which must have one.
func openAIErrorOf(a answer) (apiError, error) {
	if a.contentType() != "application/json" {
		return apiError{}, fmt.Errorf("expected a JSON error, got Content-Type %q", a.header.Get("Content-Type"))
	}
	var body struct {
		Error apiError `json:"error"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		return apiError{}, fmt.Errorf("the error is not JSON: %w", err)
	}
	if body.Error.Message == "" || body.Error.Type == "" {
		return apiError{}, fmt.Errorf("expected error.message and error.type, got %q", quoted(a.body))
	}
	return body.Error, nil
}
