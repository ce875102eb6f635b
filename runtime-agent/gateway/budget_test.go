package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// A prompt is refused while there is room for the request of a summary, and the next one of the
// conversation may use it.
func TestBudget(t *testing.T) {
	b := newBudget()
	const window = 32768
	assert.Equal(t, 26624, ordinary(window))
	assert.Equal(t, 832, ordinary(1024))
	b.learn("a", 40000, 10000)
	b.learn("a", 3, 15) // "one", in a template
	require.Nil(t, b.admit("a", 4*26624, 0, window))
	failed := b.admit("a", 4*27000, 0, window)
	require.NotNil(t, failed)
	assert.Equal(t, "This model's maximum context length is 26624 tokens. However, your messages resulted in 27000 tokens. Please reduce the length of the messages.", failed.Message)
	assert.Equal(t, 27000, failed.Prompt)
	assert.Equal(t, 26624, failed.Limit)
	require.Nil(t, b.admit("a", 4*30000, 0, window), "the summary")
	require.NotNil(t, b.admit("a", 4*30000, 0, window), "the next one is an ordinary one")
	failed = b.admit("a", 4*33000, 0, window)
	require.NotNil(t, failed, "longer than the context")
	assert.Equal(t, window, failed.Limit)
	require.Nil(t, b.admit("b", 1000, 0, window), "another conversation")
	failed = b.admit("b", 1000, 40000, window)
	require.NotNil(t, failed, "it cannot be less")
	assert.Equal(t, 40000, failed.Prompt)
	assert.Equal(t, window, failed.Limit)
}

func TestTheOldestConversationIsForgotten(t *testing.T) {
	b := newBudget()
	for i := range 10 * maxConversations {
		b.learn(fmt.Sprint(i), 4000, 2000)
	}
	assert.Len(t, b.conversations, maxConversations)
	assert.Contains(t, b.conversations, fmt.Sprint(10*maxConversations-1))
}

// From the first answer on the gateway knows how long prompts are, to within what a template adds.
func TestPromptsAreCounted(t *testing.T) {
	server := localaitest.NewServer(t, localaitest.Options{
		Models: []localaitest.Model{{Name: appliance.ModelID, Template: localaitest.Relaxed, ContextSize: 4096}}, Keys: []string{testKey},
	})
	r := startAt(t, server.Address)
	ask := func(words int) (int, string) {
		response := r.post(t, appliance.PathChat, fmt.Sprintf(`{"max_tokens":3,"stream":true,"messages":[{"role":"user","content":%q}]}`, strings.Repeat("word ", words)))
		return response.StatusCode, read(t, response)
	}
	// The stand-in has a token for each byte.
	status, text := ask(400)
	assert.Equal(t, 200, status, text)
	status, text = ask(680)
	assert.Equal(t, 400, status, "there is no room for a summary")
	assert.Equal(t, "context_length_exceeded", errorCode(t, text))
	status, text = ask(800)
	assert.Equal(t, 200, status, text)
}

// 1 MB of one letter ends a backend: what cannot fit is refused before anybody reads it.
func TestWhatCannotFitIsRefusedAtOnce(t *testing.T) {
	r := start(t, fails(500, "the engine must not be asked"), func(c *Config) { c.Vocabulary = gguf.Vocabulary{Longest: 128} })
	letters := strings.Repeat("a", 2<<20)
	for path, body := range map[string]string{
		appliance.PathChat:        fmt.Sprintf(`{"messages":[{"role":"user","content":%q}]}`, letters),
		appliance.PathCompletions: fmt.Sprintf(`{"prompt":%q}`, letters),
		appliance.PathMessages:    fmt.Sprintf(`{"max_tokens":1,"messages":[{"role":"user","content":%q}]}`, letters),
		appliance.PathResponses:   fmt.Sprintf(`{"input":%q}`, letters),
	} {
		response := r.post(t, path, body)
		assert.Equal(t, 400, response.StatusCode, path)
		var said struct{ Error struct{ Message string } }
		require.NoError(t, json.Unmarshal([]byte(read(t, response)), &said))
		want := "maximum context length is 4096 tokens"
		if path == appliance.PathMessages {
			want = "prompt is too long: 599186 tokens > 4096 maximum"
		}
		assert.Contains(t, said.Error.Message, want)
	}
}

func TestCountTokens(t *testing.T) {
	r := start(t, fails(500, "the engine must not be asked"))
	response := r.post(t, appliance.PathCountTokens, fmt.Sprintf(`{"messages":[{"role":"user","content":%q}]}`, strings.Repeat("a", 3500)))
	assert.Equal(t, 200, response.StatusCode)
	assert.JSONEq(t, `{"input_tokens":1000}`, read(t, response))
}
