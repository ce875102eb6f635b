package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// model is a model as the list describes it, in JSON.
type model map[string]any

func (m model) id() string { return m.text("id") }

func (m model) text(field string) string {
	text, _ := m[field].(string)
	return text
}

func (m model) number(field string) int {
	number, _ := m[field].(float64)
	return int(number)
}

// contextLength is in tokens, 0 if it is not told. The field is OpenRouter's, the one that most
// clients look for.
func (m model) contextLength() int { return m.number("context_length") }

// isComplete requires what clients read of a model. Those of OpenAI's SDKs are never missing there.
func (m model) isComplete() error {
	for _, field := range []string{"created", "owned_by", "context_length"} {
		if m.number(field) < 1 && m.text(field) == "" {
			return fmt.Errorf("expected %s of the model in the list, got %v", field, m[field])
		}
	}
	return nil
}

func ids(models []model) []string {
	var ids []string
	for _, m := range models {
		ids = append(ids, m.id())
	}
	return ids
}

// list returns the models that the list at a path describes.
func (t *Target) list(ctx context.Context, path string) ([]model, error) {
	var list struct {
		Data []model `json:"data"`
	}
	err := t.get(ctx, path, &list)
	return list.Data, err
}

// get decodes the JSON at a path.
func (t *Target) get(ctx context.Context, path string, into any) error {
	answer, err := t.ask(ctx, http.MethodGet, path, t.authorized)
	if err != nil {
		return err
	}
	if err := answer.expect(http.StatusOK); err != nil {
		return err
	}
	if err := json.Unmarshal(answer.body, into); err != nil {
		return fmt.Errorf("the answer is not the JSON of a model or a list: %w", err)
	}
	return nil
}

// listed returns the model as the list describes it.
func (t *Target) listed(ctx context.Context) (model, error) {
	models, err := t.list(ctx, appliance.PathModels)
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		if m.id() == t.Model {
			return m, m.isComplete()
		}
	}
	return nil, fmt.Errorf("expected %q in the list, got %q", t.Model, ids(models))
}

func modelListed(ctx context.Context, t *Target) (string, error) {
	listed, err := t.listed(ctx)
	if err != nil {
		return "", err
	}
	one := appliance.PathModels + "/" + url.PathEscape(t.Model)
	var alone model
	if err := t.get(ctx, one, &alone); err != nil {
		return "", fmt.Errorf("GET %s: %w", one, err)
	}
	if !reflect.DeepEqual(listed, alone) {
		return "", fmt.Errorf("GET %s: expected the model as it is in the list, %v, got %v", one, listed, alone)
	}
	// What clients ask whose base URL lacks the version, or ends in a slash.
	for _, path := range []string{strings.TrimPrefix(appliance.PathModels, "/v1"), appliance.PathModels + "/"} {
		again, err := t.list(ctx, path)
		if err != nil {
			return "", fmt.Errorf("GET %s: %w", path, err)
		}
		if !reflect.DeepEqual(again, []model{listed}) {
			return "", fmt.Errorf("GET %s: expected the list of %s, got %v", path, appliance.PathModels, again)
		}
	}
	return fmt.Sprintf("%s, %d tokens", t.Model, listed.contextLength()), nil
}
