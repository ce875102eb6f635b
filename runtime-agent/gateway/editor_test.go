package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/program"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/queue"
)

// coder is a model with Qwen Coder's tokens.
func coder(c *Config) {
	c.FIM = gguf.FIM{Prefix: "<|fim_prefix|>", Suffix: "<|fim_suffix|>", Middle: "<|fim_middle|>", Ends: []string{"<|fim_pad|>", "<|im_end|>"}}
}

func codestral(c *Config) {
	c.FIM = gguf.FIM{Prefix: "[PREFIX]", Suffix: "[SUFFIX]", Ends: []string{"</s>"}}
}

// textEvent is what LocalAI sends (transcripts/17-completions-stream.txt).
func textEvent(text string) string {
	return fmt.Sprintf(`data: {"created":1,"object":"text_completion","id":"x","model":"m","choices":[{"index":0,"finish_reason":null,"text":%q}]}`, text) + "\n\n"
}

const textEnd = `data: {"created":1,"object":"text_completion","id":"x","model":"m","choices":[{"index":0,"finish_reason":"stop"}]}` + "\n\n"

// question is what the engine is asked.
type question struct {
	Prompt    string   `json:"prompt"`
	Suffix    *string  `json:"suffix"`
	Stop      []string `json:"stop"`
	MaxTokens int      `json:"max_tokens"`
	TopP      float64  `json:"top_p"`
}

// What plugins send, and what the engine is asked: those of Continue (core/llm/llms/OpenAI.ts, _legacystreamComplete, with its
// template for Qwen Coder), minuet-ai (backends/openai_base.lua, complete_openai_fim_base) and llama.vscode (llama-server.ts,
// handleOpenAICompletion).
func TestWhatPluginsOfEditorsSend(t *testing.T) {
	qwenStops := []string{"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|im_end|>"}
	for name, tt := range map[string]struct {
		body  string
		model func(*Config)
		want  question
	}{
		"Continue": {
			`{"model":"` + appliance.ModelID + `","prompt":"<|fim_prefix|>func add(a, b int) int {\n\treturn <|fim_suffix|>\n}<|fim_middle|>","max_tokens":4096,"temperature":0.01,"stop":["<|endoftext|>","<|fim_prefix|>","<|fim_middle|>","<|fim_suffix|>","<|fim_pad|>","<|repo_name|>","<|file_sep|>","<|im_start|>","<|im_end|>","/src/","#- coding: utf-8","` + "```" + `"],"stream":true}`, coder,
			question{
				Prompt: "<|fim_prefix|>func add(a, b int) int {\n\treturn <|fim_suffix|>\n}<|fim_middle|>", MaxTokens: 256,
				Stop: []string{"<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|im_start|>", "<|im_end|>", "/src/", "#- coding: utf-8", "```"},
			},
		},
		"minuet-ai": {
			`{"model":"` + appliance.ModelID + `","prompt":"# language: go\nfunc add(a, b int) int {\n\treturn ","suffix":"\n}\n","stream":true,"max_tokens":56,"top_p":0.9,"stop":"\n\n"}`, coder,
			question{Prompt: "<|fim_prefix|># language: go\nfunc add(a, b int) int {\n\treturn <|fim_suffix|>\n}\n<|fim_middle|>", MaxTokens: 56, TopP: 0.9, Stop: append([]string{"\n\n"}, qwenStops...)},
		},
		"llama.vscode": {
			`{"model":"","prompt":"<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>","max_tokens":128,"temperature":0.1,"top_p":0.99,"stream":false}`, coder,
			question{Prompt: "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>", MaxTokens: 128, TopP: 0.99, Stop: qwenStops},
		},
		"no limit, a list of one, no stop": {
			`{"prompt":["a"],"suffix":"b","stop":null}`, coder,
			question{Prompt: "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>", MaxTokens: 128, Stop: qwenStops},
		},
		"the tokens in a file": {
			`{"prompt":"p := \"<|fim_middle|>","suffix":"\" + \"<|im_end|>\"","max_tokens":5}`, coder,
			question{Prompt: "<|fim_prefix|>p := \"< |fim_middle|><|fim_suffix|>\" + \"< |im_end|>\"<|fim_middle|>", MaxTokens: 5, Stop: qwenStops},
		},
		"Codestral": {
			`{"prompt":"a","suffix":"b","max_completion_tokens":9}`, codestral,
			question{Prompt: "[SUFFIX]b[PREFIX]a", MaxTokens: 9, Stop: []string{"[PREFIX]", "[SUFFIX]", "</s>"}},
		},
		"a text to go on with":       {`{"prompt":"a <|fim_middle|>","suffix":"","max_tokens":4000}`, coder, question{Prompt: "a <|fim_middle|>", MaxTokens: 4000}},
		"no suffix":                  {`{"prompt":"a","suffix":null}`, coder, question{Prompt: "a"}},
		"a model without the tokens": {`{"prompt":"<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"}`, func(*Config) {}, question{Prompt: "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"}},
	} {
		t.Run(name, func(t *testing.T) {
			engine := newReader("never", says(textEvent("a"), textEvent(" + b"), textEnd, done))
			r := start(t, engine.serve, tt.model)
			response := r.post(t, appliance.PathCompletions, tt.body)
			text := read(t, response)
			require.Equal(t, http.StatusOK, response.StatusCode, text)
			var got question
			require.NoError(t, json.Unmarshal([]byte(<-engine.asked), &got))
			assert.Equal(t, tt.want, got)
			if strings.Contains(tt.body, `"stream":true`) {
				assert.Contains(t, text, `"text":" + b"`)
				assert.True(t, strings.HasSuffix(text, done))
			} else {
				assert.Contains(t, text, `"text":"a + b"`)
			}
		})
	}
}

func TestAModelThatDoesNotFillInTheMiddle(t *testing.T) {
	r := start(t, fails(500, "the engine must not be asked"))
	response := r.post(t, appliance.PathCompletions, `{"prompt":"a","suffix":"b","stream":true}`)
	text := read(t, response)
	assert.Equal(t, http.StatusBadRequest, response.StatusCode)
	assert.Equal(t, "invalid_value", errorCode(t, text))
	assert.Contains(t, text, `"param":"suffix"`)
	assert.Contains(t, text, appliance.ModelID)
	assert.Contains(t, text, "qwen2.5-coder-7b")
}

func TestWrongCompletionsInEditors(t *testing.T) {
	r := start(t, fails(500, "the engine must not be asked"), coder)
	for body, field := range map[string]string{
		`{"prompt":"a","suffix":1}`:                      "suffix",
		`{"prompt":"a","suffix":["b"]}`:                  "suffix",
		`{"prompt":["a","b"],"suffix":"c"}`:              "prompt",
		`{"prompt":"a","suffix":"b","stop":7}`:           "stop",
		`{"prompt":"a","suffix":"b","max_tokens":"all"}`: "max_tokens",
	} {
		response := r.post(t, appliance.PathCompletions, body)
		text := read(t, response)
		assert.Equal(t, http.StatusBadRequest, response.StatusCode, body)
		assert.Contains(t, text, fmt.Sprintf(`"param":%q`, field), body)
	}
}

// A file that is longer than the context is no error: what stands around the cursor is read, and fits.
func TestTheTextAroundTheCursorIsKept(t *testing.T) {
	for _, size := range []int{512, 4096, 32768} {
		engine := newReader("never", says(textEvent("a"), textEnd, done))
		r := start(t, engine.serve, coder, func(c *Config) { c.ContextSize, c.Vocabulary = size, gguf.Vocabulary{Longest: 1} })
		prefix, suffix := strings.Repeat("code before the cursor\n", 10_000)+"return ", "nothing\n"+strings.Repeat("code behind the cursor\n", 10_000)
		response := r.post(t, appliance.PathCompletions, fmt.Sprintf(`{"prompt":%q,"suffix":%q}`, prefix, suffix))
		require.Equal(t, http.StatusOK, response.StatusCode, read(t, response))
		var got question
		require.NoError(t, json.Unmarshal([]byte(<-engine.asked), &got))
		assert.Contains(t, got.Prompt, "code before the cursor\nreturn <|fim_suffix|>nothing\n")
		assert.True(t, strings.HasPrefix(got.Prompt, "<|fim_prefix|>code before"), got.Prompt[:40])
		assert.Less(t, len(got.Prompt)-len("<|fim_prefix|><|fim_suffix|><|fim_middle|>")+3+got.MaxTokens, size, "a token for each byte")
		assert.Less(t, len(got.Prompt), 4096)
	}
}

// completing asks for a completion in an editor of a client, and returns the answer once it is there.
func (r *rig) completing(ctx context.Context, t *testing.T, client, prefix string) <-chan string {
	answer := make(chan string, 1)
	go func() {
		request, _ := http.NewRequestWithContext(ctx, http.MethodPost, r.url+appliance.PathCompletions, strings.NewReader(fmt.Sprintf(`{"prompt":%q,"suffix":"\n}","stream":true}`, prefix)))
		request.Header.Set(appliance.HeaderClient, client)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			answer <- err.Error()
			return
		}
		answer <- fmt.Sprint(response.StatusCode, " ", read(t, response))
	}()
	return answer
}

// A keystroke makes the completion before it worthless: plugins must not show an error for that.
func TestANewerCompletionEndsTheOneThatWaits(t *testing.T) {
	release := make(chan struct{})
	r := start(t, held(release, says(textEvent("a"), textEnd, done)), coder)
	running := r.completing(t.Context(), t, "alice", "f")
	require.Eventually(t, func() bool { return r.queue.Load() == queue.Load{Running: 1} }, time.Minute, time.Millisecond)
	older := r.completing(t.Context(), t, "alice", "fo")
	require.Eventually(t, func() bool { return r.queue.Load() == queue.Load{Waiting: 1, Running: 1} }, time.Minute, time.Millisecond)
	newer := r.completing(t.Context(), t, "alice", "for")
	text := <-older
	assert.True(t, strings.HasPrefix(text, "200 "), text)
	assert.Contains(t, text, `"text":""`)
	assert.Contains(t, text, `"finish_reason":"stop"`)
	assert.True(t, strings.HasSuffix(text, done))
	close(release)
	assert.Contains(t, <-running, `"text":"a"`)
	assert.Contains(t, <-newer, `"text":"a"`)
	assert.Equal(t, queue.Load{}, r.queue.Load())
}

// Who types on is gone: from the queue, and from the engine.
func TestACompletionEndsWithItsClient(t *testing.T) {
	engine := newReader("first", says(textEvent("a"), textEnd, done))
	r := start(t, engine.serve, coder)
	alice, aliceTyped := context.WithCancel(t.Context())
	bob, bobTyped := context.WithCancel(t.Context())
	reading := r.completing(alice, t, "alice", "first")
	<-engine.asked
	waiting := r.completing(bob, t, "bob", "second")
	require.Eventually(t, func() bool { return r.queue.Load() == queue.Load{Waiting: 1, Running: 1} }, time.Minute, time.Millisecond)
	bobTyped()
	assert.Contains(t, <-waiting, "canceled")
	require.Eventually(t, func() bool { return r.queue.Load() == queue.Load{Running: 1} }, time.Minute, time.Millisecond)
	aliceTyped()
	assert.Contains(t, <-engine.stopped, "first")
	assert.Contains(t, <-reading, "canceled")
	require.Eventually(t, func() bool { return r.queue.Load() == queue.Load{} }, time.Minute, time.Millisecond)
	assert.Contains(t, <-r.completing(t.Context(), t, "alice", "third"), `"text":"a"`)
	require.Eventually(t, func() bool { return r.numbersNow(t).sum(appliance.MetricRequests, "status", "499") == 2 }, time.Minute, time.Millisecond)
}

// The long prompt of an agent waits for it, and is read on afterwards.
func TestACompletionGoesBeforeALongPrompt(t *testing.T) {
	engine := newReader("words of a long prompt", says(role, delta("a"), stopped, done))
	r := start(t, engine.serve, coder, wide)
	agent := make(chan string, 1)
	go func() {
		agent <- read(t, r.ask(t.Context(), t, "alice", http.MethodPost, appliance.PathChat, asking(long)))
	}()
	assert.Contains(t, <-engine.asked, "long prompt")
	typed := r.completing(t.Context(), t, "alice", "for i := ")
	assert.Contains(t, <-engine.stopped, "long prompt")
	assert.Contains(t, <-engine.asked, "for i := ")
	assert.Contains(t, <-engine.asked, "long prompt")
	assert.Contains(t, <-typed, "200 ")
	assert.Contains(t, <-agent, `"content":"a"`)
}

// What the engine has read of a conversation is there after any number of completions, each at another place: the engine saves
// every one, and what it saved first goes first. They are a kind of their own in the numbers.
func TestCompletionsDoNotCostAConversationItsCache(t *testing.T) {
	r := startCounting(t, coder, func(c *Config) { c.CacheTokens = 20_000 })
	messages := fmt.Sprintf(`{"role":"user","content":%q}`, strings.Repeat(longText, 100)+"\nSay: one")
	r.answered(t, `{"messages":[`+messages+`]}`)
	whole := r.last(t).Read
	answered := 0
	for n := range 40 {
		response := r.post(t, appliance.PathCompletions, fmt.Sprintf(`{"prompt":%q,"suffix":"\n}","max_tokens":5}`, fmt.Sprint("file ", n, "\n")+strings.Repeat("x = 1\n", 200)))
		text := read(t, response)
		require.Equal(t, http.StatusOK, response.StatusCode, text)
		if !strings.Contains(text, `"text":""`) {
			answered++
		}
	}
	assert.Greater(t, answered, 5)
	assert.Less(t, answered, 40, "or the engine would have lost the conversation")
	assert.Contains(t, r.logged(), "answered with nothing")

	messages += `,{"role":"assistant","content":"one"},{"role":"user","content":"Say: two"}`
	r.answered(t, `{"messages":[`+messages+`]}`)
	assert.Less(t, r.last(t).Read, whole/20, "of %d tokens", r.last(t).Prompt)

	response := r.post(t, appliance.PathCompletions, `{"prompt":"next","suffix":"\n}","max_tokens":5}`)
	assert.NotContains(t, read(t, response), `"text":""`, "after a turn there is room again")

	n := r.numbersNow(t)
	assert.Positive(t, n.sum(appliance.MetricProgramTokens, "program", program.Editor, "state", "new"))
	assert.Zero(t, n.sum(appliance.MetricParted), "each is about another place")
}

// What nobody goes on with stops no completion.
func TestATitleIsNoConversationToKeep(t *testing.T) {
	r := startCounting(t, coder, func(c *Config) { c.CacheTokens = 10_000 })
	title := fmt.Sprintf(`{"messages":[{"role":"system","content":"You are a title generator."},{"role":"user","content":%q}]}`, strings.Repeat(longText, 50))
	require.Equal(t, http.StatusOK, r.postAs(t, openCode, appliance.PathChat, title).StatusCode)
	for n := range 40 {
		text := read(t, r.post(t, appliance.PathCompletions, fmt.Sprintf(`{"prompt":%q,"suffix":"\n}","max_tokens":5}`, fmt.Sprint("file ", n, "\n")+strings.Repeat("x = 1\n", 200))))
		require.NotContains(t, text, `"text":""`)
	}
}

// The same without the gateway: what the engine does then.
func TestTheEngineSavesEveryCompletion(t *testing.T) {
	var engine ledger
	server := localaitest.NewServer(t, localaitest.Options{
		Models: []localaitest.Model{{Name: appliance.ModelID, Template: localaitest.Relaxed, ContextSize: 1 << 20}}, Keys: []string{testKey},
		CacheRAM: 20_000, OnRead: engine.add,
	})
	r := startAt(t, server.Address, wide)
	messages := fmt.Sprintf(`{"role":"user","content":%q}`, strings.Repeat(longText, 100)+"\nSay: one")
	read(t, r.post(t, appliance.PathChat, `{"messages":[`+messages+`]}`))
	for n := range 40 {
		read(t, r.post(t, appliance.PathCompletions, fmt.Sprintf(`{"prompt":%q,"max_tokens":5}`, fmt.Sprint("file ", n, "\n")+strings.Repeat("x = 1\n", 200))))
	}
	before := engine.read
	messages += `,{"role":"assistant","content":"one"},{"role":"user","content":"Say: two"}`
	read(t, r.post(t, appliance.PathChat, `{"messages":[`+messages+`]}`))
	assert.Greater(t, engine.read-before, 4000, "it is gone")
}

// One that ended while it was read is saved as well, as far as it was read.
func TestCompletionsThatWereGivenUpFillTheCacheToo(t *testing.T) {
	engine := newReader("typed", says(role, delta("a"), stopped, usage(4500, 1), done))
	r := start(t, engine.serve, coder, wide, func(c *Config) { c.CacheTokens = 7000 })
	read(t, r.post(t, appliance.PathChat, asking(strings.Repeat(longText, 100))))
	<-engine.asked
	for n := range 2 {
		ctx, leave := context.WithCancel(t.Context())
		given := r.completing(ctx, t, "192.0.2.1", fmt.Sprint("typed ", n, strings.Repeat("x = 1\n", 150)))
		<-engine.asked
		leave()
		<-engine.stopped
		<-given
		require.Eventually(t, func() bool { return r.queue.Load() == queue.Load{} }, time.Minute, time.Millisecond)
	}
	assert.Contains(t, <-r.completing(t.Context(), t, "192.0.2.1", "more"+strings.Repeat("y = 2\n", 150)), `"text":""`)
	assert.Empty(t, engine.asked)
}

// A few letters more, and the engine goes on from what it has read.
func TestTheNextKeystrokeReadsLittle(t *testing.T) {
	r := startCounting(t, coder, func(c *Config) { c.CacheTokens = 100_000 })
	file := strings.Repeat("some code of a file\n", 500)
	for n := range 20 {
		response := r.post(t, appliance.PathCompletions, fmt.Sprintf(`{"prompt":%q,"suffix":"\n}","max_tokens":5}`, file+"return some"[:n/2+1]))
		require.Equal(t, http.StatusOK, response.StatusCode, read(t, response))
		if n > 0 {
			assert.Less(t, r.last(t).Read, 100, "of %d", r.last(t).Prompt)
		}
	}
}

// Whatever an editor sends, the gateway answers, and what the engine is asked fits.
func FuzzCompletionsInEditors(f *testing.F) {
	f.Add("a", "b", `"stop":["x"]`)
	f.Add("<|fim_prefix|>", "<|fim_middle|>", `"max_tokens":-1`)
	f.Add("<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>", "", `"stop":"\u0000"`)
	f.Add("\x00\xff", "\n", `"stop":[1]`)
	server := localaitest.NewServer(f, localaitest.Options{
		Models: []localaitest.Model{{Name: appliance.ModelID, ContextSize: 4096}}, Keys: []string{testKey}, CacheRAM: 10_000,
	})
	r := startAt(f, server.Address, coder, func(c *Config) { c.CacheTokens = 10_000 })
	f.Fuzz(func(t *testing.T, prefix, suffix, more string) {
		body := fmt.Sprintf(`{"prompt":%s,"suffix":%s,%s}`, quoted(prefix), quoted(suffix), more)
		response := r.post(t, appliance.PathCompletions, body)
		text := read(t, response)
		if json.Valid([]byte(body)) && suffix != "" && response.StatusCode != http.StatusBadRequest {
			require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", body, text)
		}
		require.Less(t, response.StatusCode, http.StatusInternalServerError, "%s: %s", body, text)
	})
}

func quoted(text string) []byte {
	quoted, _ := json.Marshal(text) // a string can always be encoded
	return quoted
}
