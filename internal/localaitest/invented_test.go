package localaitest

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What LocalAI v4.9.0 sent with a model made for it, whose answer quotes a package.json: with
// function.replace_llm_results and without, and the same without tools.
func TestJSONInAStreamedAnswer(t *testing.T) {
	const (
		quoted    = `Here is package.json: {"name": "demo"} and that is all.`
		call      = `{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"ID","type":"function","function":{"name":"demo","arguments":"{}"}}]}`
		withTools = `,"tools":[{"type":"function","function":{"name":"ls"}}]`
	)
	textIsText := tiny
	textIsText.TextIsText = true
	for name, c := range map[string]struct {
		model  Model
		tools  string
		text   string
		reason string
		called bool
	}{
		"with the setting":    {textIsText, withTools, quoted, "stop", false},
		"without the setting": {tiny, withTools, `Here is package.json: {"name": "demo"}`, "tool_calls", true},
		"without tools":       {tiny, "", quoted, "stop", false},
	} {
		t.Run(name, func(t *testing.T) {
			server := NewServer(t, Options{Models: []Model{c.model}})
			body := `{"stream":true,"messages":[{"role":"user","content":"Say: ` + strings.ReplaceAll(quoted, `"`, `\"`) + `"}]` + c.tools + `}`
			_, answer := play(t, server, transcript{method: http.MethodPost, path: pathChat, header: http.Header{"Content-Type": {"application/json"}}, requestBody: body})
			assert.Equal(t, c.text, streamedText(answer))
			assert.Contains(t, answer, `"finish_reason":"`+c.reason+`"`)
			id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
			assert.Equal(t, c.called, strings.Contains(id.ReplaceAllString(answer, "ID"), `"delta":`+call), answer)
			assert.True(t, strings.HasSuffix(answer, "data: [DONE]\n\n"))
		})
	}
}

// streamedText puts the pieces of content together.
func streamedText(events string) string {
	var text strings.Builder
	for _, piece := range regexp.MustCompile(`"delta":\{"content":"((?:[^"\\]|\\.)*)"`).FindAllStringSubmatch(events, -1) {
		text.WriteString(strings.ReplaceAll(piece[1], `\"`, `"`))
	}
	return text.String()
}

func TestCallInText(t *testing.T) {
	for text, want := range map[string]functionCall{
		"": {}, "text": {}, `{"name": "a`: {}, `{"name": 1}`: {}, `{"title": "a"}`: {},
		`{"name": "a"}`:                            {"a", "{}"},
		`x {"b": {"name": "a"}} y`:                 {"a", "{}"},
		`{{"name": "a"}`:                           {"a", "{}"},
		`{"name": "a", "arguments": {"b": 1}}`:     {"a", `{"b": 1}`},
		`{"name": "a", "arguments": "{\"b\": 1}"}`: {"a", `{"b": 1}`},
	} {
		call, found := callInText(text)
		assert.Equal(t, want, call, text)
		assert.Equal(t, want != functionCall{}, found, text)
	}
}
