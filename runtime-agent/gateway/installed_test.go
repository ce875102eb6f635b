package gateway

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/localai"
)

// The gateway in front of an installed engine: the stand-ins' programs, or the real LocalAI if
// LOCALAI_BIN and the other variables name one.
func TestAnInstalledEngine(t *testing.T) {
	config := localai.Config{ModelID: appliance.ModelID, ContextSize: 4096, Threads: 2, APIKey: testKey, Sampling: appliance.NeutralSampling()}
	process := localaitest.Install(t).Start(t, localaitest.Rendered{Environment: config.Environment(), ModelFile: config.ModelFile(), Unit: localai.Unit()})
	process.WaitUntilServing(t)
	r := startAt(t, process.URL, func(c *Config) { c.History = rulesOf(localaitest.Devstral) })
	ask := func(ctx context.Context, client, text string, maxTokens int) *http.Response {
		return r.ask(ctx, t, client, http.MethodPost, appliance.PathChat,
			fmt.Sprintf(`{"stream":true,"max_tokens":%d,"messages":[{"role":"user","content":%q}]}`, maxTokens, text))
	}

	t.Run("histories", func(t *testing.T) {
		for _, messages := range histories {
			response := r.post(t, appliance.PathChat, fmt.Sprintf(`{"messages":%s,"max_tokens":2}`, messages))
			text := read(t, response)
			assert.Equal(t, 200, response.StatusCode, "%s: %s", messages, text)
			assert.NotContains(t, text, `"error"`)
		}
	})

	t.Run("a prompt that is too long", func(t *testing.T) {
		r.grace = time.Minute // so that the engine's refusal has a status
		for refusedBy, prompt := range map[string]string{
			"the gateway": strings.Repeat("word ", 4200),
			"the engine":  strings.Repeat("7 3 9 1 ", 1250), // a token for two bytes
		} {
			response := ask(t.Context(), refusedBy, prompt, 2)
			assert.Equal(t, 400, response.StatusCode, refusedBy)
			assert.Equal(t, "context_length_exceeded", errorCode(t, read(t, response)), refusedBy)
		}
	})

	t.Run("who leaves makes room", func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		r.grace = 20 * time.Millisecond
		endless := ask(ctx, "a", "Count up.", 2000)
		_, err := bufio.NewReader(endless.Body).ReadString('\n')
		require.NoError(t, err, "it is being answered")
		short := make(chan string)
		go func() { short <- read(t, ask(t.Context(), "b", "Hello", 2)) }()
		require.Eventually(t, func() bool { return r.queue.Load().Waiting == 1 }, time.Minute, time.Millisecond)
		leave()
		assert.True(t, strings.HasSuffix(<-short, done))
	})

	t.Run("the backend is killed in the middle of an answer", func(t *testing.T) {
		running := ask(t.Context(), "a", "Count up.", 2000)
		events := sse.NewReader(running.Body)
		for content := false; !content; {
			event, err := events.Next()
			require.NoError(t, err)
			content = strings.Contains(string(event.Data), `"content":"`)
		}
		for _, pid := range process.Backends() {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
		last, end := "", ""
		for {
			event, err := events.Next()
			if err != nil {
				break
			}
			last, end = end, string(event.Data)
		}
		assert.Contains(t, last, "the model stopped in the middle of its answer")
		assert.Equal(t, "[DONE]", end)
		r.grace = time.Minute
		response := r.post(t, appliance.PathChat, chatWhole)
		assert.Equal(t, 503, response.StatusCode)
		assert.NotEmpty(t, response.Header.Get("Retry-After"))
	})
}
