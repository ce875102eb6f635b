package localaitest

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The default answer ends by itself, and every answer is the same each time.
func TestAnswersAreDeterministic(t *testing.T) {
	server := NewServer(t, Options{})
	chat := readTranscript(t, "27-no-model-field.txt")
	chat.requestBody = `{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`
	var contents []string
	for range 2 {
		_, body := play(t, server, chat)
		var got completion
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		assert.Equal(t, "devstral-small-2", got.Model)
		assert.Equal(t, "stop", *got.Choices[0].FinishReason)
		assert.Equal(t, usage{PromptTokens: 17, CompletionTokens: defaultTokens, TotalTokens: 17 + defaultTokens}, *got.Usage)
		assert.Len(t, strings.Fields(*got.Choices[0].Message.Content), defaultTokens, "one word per token")
		contents = append(contents, *got.Choices[0].Message.Content)
	}
	assert.Equal(t, contents[0], contents[1])
	other := compose(completionRequest{Prompt: "something else"}, "something else", tiny)
	assert.NotEqual(t, contents[0], other.text())
}

func TestAnswerEndsWithTheContext(t *testing.T) {
	many := 100000
	a := compose(completionRequest{Prompt: "hello", MaxTokens: &many}, "hello", tiny)
	assert.Len(t, a.tokens, 2048-5)
	assert.Equal(t, "stop", a.finishReason)
}

func TestAnswerEndsByItself(t *testing.T) {
	many := 32000
	model := tiny
	model.ContextSize = 50000
	a := compose(completionRequest{Prompt: "hello", MaxTokens: &many}, "hello", model)
	assert.Len(t, a.tokens, longestAnswer)
	assert.Equal(t, "stop", a.finishReason)
}

func TestStopWordCutsWithinAToken(t *testing.T) {
	for name, test := range map[string]struct {
		stop any
		want []string
	}{
		"within":     {"cd", []string{" ab", " "}},
		"at a start": {" cd", []string{" ab"}},
		"list":       {[]any{"zz", "b"}, []string{" a"}},
		"absent":     {"zz", []string{" ab", " cd"}},
		"none":       {nil, []string{" ab", " cd"}},
	} {
		t.Run(name, func(t *testing.T) {
			tokens := []string{" ab", " cd"}
			for _, stop := range (completionRequest{Stop: test.stop}).stopWords() {
				tokens = cutAt(tokens, stop)
			}
			assert.Equal(t, test.want, tokens)
		})
	}
}

// A body without a declared length must not get past the limit either.
func TestUploadLimitHoldsForChunkedBodies(t *testing.T) {
	server := NewServer(t, Options{})
	body := strings.NewReader(`{"messages":[{"role":"user","content":"` + strings.Repeat("a", uploadLimit) + `"}]}`)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+pathChat, struct{ *strings.Reader }{body})
	require.NoError(t, err)
	request.ContentLength = -1
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
}

// Nothing, not even the head, is sent before the first token; then every token is.
func TestStreamArrivesTokenByToken(t *testing.T) {
	tokens := make(chan struct{})
	server := NewServer(t, Options{Models: []Model{tiny}, Engine: stepping{tokens: tokens}})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+pathChat,
		strings.NewReader(`{"stream":true,"messages":[{"role":"user","content":"hi"}],"max_tokens":3}`))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	head := make(chan *http.Response, 1)
	go func() {
		defer close(head)
		if response, err := http.DefaultClient.Do(request); err == nil {
			head <- response
		}
	}()
	send(t, tokens) // only now may the head come
	response := receive(t, head)
	require.NotNil(t, response)
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	for want := 1; want <= 3; want++ {
		for line := ""; !strings.Contains(line, `"content":" `); {
			line, err = lines.ReadString('\n')
			require.NoError(t, err, "token %d", want)
		}
		if want < 3 {
			send(t, tokens)
		}
	}
}

// stepping gives one token for each value received.
type stepping struct {
	alwaysReady
	tokens chan struct{}
}

func (s stepping) Check(Model) error {
	<-s.tokens
	return nil
}

func TestArgumentsAreText(t *testing.T) {
	status, answer := ask(t, NewServer(t, Options{}), `{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"ls","arguments":{}}}]}]}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Regexp(t, `^\{"error":\{"code":400,"message":"code=400, message=failed parsing request body: code=400, `+
		`message=Unmarshal type error: expected=string, got=object, field=messages.messageAlias.tool_calls.function.arguments, offset=\d+, `+
		`internal=json: cannot unmarshal object into Go struct field OpenAIRequest.messages.messageAlias.tool_calls.function.arguments of type string","type":""\}\}\n$`, answer)
}

func FuzzReadRequest(f *testing.F) {
	for _, body := range []string{
		`{"model":"tiny","messages":[{"role":"user","content":"hi"}],"stop":["a"],"max_tokens":4}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"Call: ls {}"}]},{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"ls","arguments":"{"}}]},{"role":"tool","tool_call_id":"1"}],"tools":[{"function":{"name":"ls"}}]}`,
		`{"prompt":["a",{"text":"b"}],"stop":"x","stream":true}`, `[]`, `{`, ``,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := http.NewRequest(http.MethodPost, pathChat, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		request, failed := readRequest(r)
		if failed != nil {
			assert.Equal(t, http.StatusBadRequest, failed.Status)
			return
		}
		for template := range templates {
			prompt, err := request.prompt(template)
			if err != nil || contextOverflow(prompt, tiny) != "" {
				continue
			}
			if a := compose(request, prompt, tiny); a.calls == nil {
				assert.LessOrEqual(t, a.usage().TotalTokens, tiny.ContextSize)
			}
		}
	})
}

func TestTokensOfSeveralBytes(t *testing.T) {
	model := Model{ContextSize: 3, BytesPerToken: 4}
	assert.Equal(t, 1, model.tokenCount("abc"))
	assert.Equal(t, 2, model.tokenCount("abcdefgh"))
	assert.Empty(t, contextOverflow("abcdefgh", model))
	assert.Equal(t, "request (3 tokens) exceeds the available context size (3 tokens), try increasing it", contextOverflow("abcdefghijkl", model))
}

// LocalAI v4.9.0 ignores the suffix of a plain completion without a word: the prompt is all that the model reads.
func TestASuffixIsIgnored(t *testing.T) {
	var read []Reading
	server := NewServer(t, Options{Models: []Model{{Name: "tiny", ContextSize: 1000}}, OnRead: func(r Reading) { read = append(read, r) }})
	answers := map[string]bool{}
	for _, suffix := range []string{"", `,"suffix":null`, `,"suffix":"\n}"`, `,"suffix":["a"]`} {
		response, err := http.Post("http://"+server.Address+"/v1/completions", "application/json", strings.NewReader(`{"model":"tiny","prompt":"def main","max_tokens":8`+suffix+`}`))
		require.NoError(t, err)
		var said struct {
			Choices []struct{ Text string }
		}
		require.NoError(t, json.NewDecoder(response.Body).Decode(&said))
		require.NoError(t, response.Body.Close())
		require.Len(t, said.Choices, 1, suffix)
		answers[said.Choices[0].Text] = true
	}
	assert.Len(t, answers, 1)
	for _, reading := range read {
		assert.Equal(t, len("def main"), reading.Prompt)
	}
}
