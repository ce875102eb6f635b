package nginx

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
)

func coder(c *gateway.Config) {
	c.FIM = gguf.FIM{Prefix: "<|fim_prefix|>", Suffix: "<|fim_suffix|>", Middle: "<|fim_middle|>"}
}

// completing is what an editor sends while its user types.
func completing(ctx context.Context, t *testing.T, s *server, prefix string) *http.Request {
	t.Helper()
	body := strings.NewReader(`{"model":"` + appliance.ModelID + `","prompt":"` + prefix + `","suffix":"\n}","stream":true,"max_tokens":64}`)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url()+appliance.PathCompletions, body)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+testPassword)
	request.Header.Set("Content-Type", "application/json")
	return request
}

// A completion in an editor comes through nginx and gateway, and the engine is told at once when its client is gone.
func TestCompletionsInEditors(t *testing.T) {
	asked, stopped := make(chan string, 1), make(chan struct{})
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- string(body)
		if strings.Contains(string(body), "gone") {
			<-r.Context().Done()
			close(stopped)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, `data: {"id":"x","object":"text_completion","choices":[{"index":0,"finish_reason":null,"text":"a + b"}]}`+"\n\n"+
			`data: {"id":"x","object":"text_completion","choices":[{"index":0,"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(engine.Close)
	s := start(t, gatewayTo(t, engine.Listener.Addr().String(), coder))

	got := do(t, s, completing(t.Context(), t, s, "return "))
	assert.Equal(t, http.StatusOK, got.StatusCode, got.text)
	assert.Contains(t, got.text, `"text":"a + b"`)
	assert.Contains(t, <-asked, `"prompt":"\u003c|fim_prefix|\u003ereturn \u003c|fim_suffix|\u003e\n}\u003c|fim_middle|\u003e"`)

	ctx, typed := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		response, err := s.client().Do(completing(ctx, t, s, "gone "))
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
		ended <- err
	}()
	<-asked
	typed()
	require.ErrorIs(t, <-ended, context.Canceled)
	<-stopped

	other := start(t, gatewayTo(t, engine.Listener.Addr().String()))
	got = do(t, other, completing(t.Context(), t, other, "return "))
	assert.Equal(t, http.StatusBadRequest, got.StatusCode, got.text)
	assert.Contains(t, got.text, "qwen2.5-coder-7b")
}
