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

// A prompt is refused while there is room for the request of a summary, and the next ones of the
// conversation may use it until one was answered.
func TestBudget(t *testing.T) {
	b := newBudget()
	const window = 32768
	assert.Equal(t, 26624, ordinary(window))
	assert.Equal(t, 832, ordinary(1024))
	assert.Equal(t, 26624, b.limit("a", window))
	b.refuse("a")
	assert.Equal(t, window, b.limit("a", window), "the summary")
	assert.Equal(t, 26624, b.limit("b", window), "another conversation")
	b.learn("a", 8000, 2000, window)
	assert.Equal(t, window, b.limit("a", window), "a small request came between")
	b.learn("a", 120000, 30000, window)
	assert.Equal(t, 26624, b.limit("a", window), "the summary was answered")

	assert.Equal(t, 250, b.estimate("a", 1000))
	b.learn("a", 3, 15, window) // "one", in a template
	assert.Equal(t, 250, b.estimate("a", 1000), "most of it is the template's")
	assert.Equal(t, 285, b.estimate("b", 1000), "others know nothing of it")
}

// Digits are a token for two bytes, words one for five: what is refused is what was counted.
func TestAnOddPromptRefusesNoOther(t *testing.T) {
	server := localaitest.NewServer(t, localaitest.Options{
		Models: []localaitest.Model{{Name: appliance.ModelID, Template: localaitest.Relaxed, ContextSize: 4096, BytesPerToken: 4}}, Keys: []string{testKey},
	})
	r := startAt(t, server.Address)
	r.budget.learn("192.0.2.1", 2000, 2000, 4096) // it seems that each byte is a token
	response := r.post(t, appliance.PathChat, fmt.Sprintf(`{"max_tokens":3,"messages":[{"role":"user","content":%q}]}`, strings.Repeat("word ", 2000)))
	text := read(t, response)
	assert.Equal(t, 200, response.StatusCode, text)
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
