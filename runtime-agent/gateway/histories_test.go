package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/history"
)

// templates are those of the stand-in, with the exceptions that their texts raise.
var templates = map[localaitest.Template][]string{
	localaitest.Devstral:    {"After the optional system message, conversation roles must alternate user and assistant roles except for tool calls and results.", "Only user, assistant and tool roles are supported, got "},
	localaitest.Relaxed:     {"Only user, assistant and tool roles are supported, got "},
	localaitest.MistralNemo: {"After the optional system message, conversation roles must alternate user/assistant/user/assistant/...", "Tool call IDs should be alphanumeric strings with length 9!"},
	localaitest.Gemma2:      {"System role not supported", "Conversation roles must alternate user/assistant/user/assistant/..."},
	localaitest.Gemma3:      {"Conversation roles must alternate user/assistant/user/assistant/..."},
	localaitest.ChatML:      nil,
	localaitest.Qwen35:      {"System message must be at the beginning.", "No user query found in messages."},
}

func rulesOf(template localaitest.Template) history.Rules {
	text := "{{ tools }}"
	if template == localaitest.Gemma2 || template == localaitest.Gemma3 {
		text = ""
	}
	for _, message := range templates[template] {
		text += fmt.Sprintf("{{ raise_exception(%q) }}", message)
	}
	return history.Of(text)
}

// strictEngine is the stand-in with a template.
func strictEngine(t testing.TB, template localaitest.Template, rules history.Rules) *rig {
	t.Helper()
	server := localaitest.NewServer(t, localaitest.Options{
		Models: []localaitest.Model{{Name: appliance.ModelID, Template: template, ContextSize: 1 << 20}}, Keys: []string{testKey},
	})
	return startAt(t, server.Address, func(c *Config) { c.History, c.ContextSize = rules, 1<<20 })
}

// Histories that agents send and some template refuses: interrupted turns, summaries, developers.
var histories = []string{
	`[{"role":"user","content":"one"},{"role":"user","content":"two"}]`,
	`[{"role":"user","content":"list"},{"role":"assistant","content":null,"tool_calls":[{"id":"abcdefghi","type":"function","function":{"name":"ls","arguments":"{}"}}]},{"role":"tool","tool_call_id":"abcdefghi","content":"a.go"},{"role":"user","content":"stop, do b first"}]`,
	`[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"},{"role":"system","content":"t"},{"role":"user","content":"v"}]`,
	`[{"role":"developer","content":"d"},{"role":"developer","content":"e"},{"role":"user","content":"u"},{"role":"user","content":"v"}]`,
	`[{"role":"assistant","content":"Hello!"},{"role":"user","content":"u"}]`,
	`[{"role":"system","content":"s"}]`,
	`[{"role":"user","content":"u"},{"role":"assistant","tool_calls":[{"id":"call_0123456789","function":{"name":"ls"}}]},{"role":"tool","tool_call_id":"call_0123456789","content":[{"type":"text","text":"r"}]}]`,
	`[{"role":"user","content":"u"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"ls","arguments":"{\"cut"}}]},{"role":"user","content":"go on"}]`,
}

func TestHistoriesOfAgentsAreAnswered(t *testing.T) {
	for template := range templates {
		strict := strictEngine(t, template, rulesOf(template))
		forgiving := strictEngine(t, template, history.Rules{})
		refused := 0
		for _, messages := range histories {
			for _, stream := range []bool{true, false} {
				body := fmt.Sprintf(`{"messages":%s,"stream":%t,"max_tokens":3}`, messages, stream)
				response := strict.post(t, appliance.PathChat, body)
				text := read(t, response)
				assert.Equal(t, 200, response.StatusCode, "template %d, %s: %s", template, messages, text)
				assert.NotContains(t, text, `"error"`)
				if forgiving.post(t, appliance.PathChat, body).StatusCode != 200 {
					refused++
				}
			}
		}
		refuses := template != localaitest.Relaxed && template != localaitest.ChatML
		assert.Equal(t, refuses, refused > 0, "template %d: the stand-in refuses what the template does", template)
	}
}

// The recorded requests of real agents, with their texts replaced.
func TestRecordedRequestsAreAnswered(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for template := range templates {
		r := strictEngine(t, template, rulesOf(template))
		for _, file := range files {
			var recorded struct {
				Path string
				Body map[string]any
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(text, &recorded))
			recorded.Body["max_tokens"] = 3
			body, err := json.Marshal(recorded.Body)
			require.NoError(t, err)
			response := r.post(t, recorded.Path, string(body))
			said := read(t, response)
			assert.Equal(t, 200, response.StatusCode, "template %d, %s: %s", template, file, said)
			assert.NotContains(t, said, `"error":{`)
		}
	}
}

// Whatever roles follow each other, the model answers.
func FuzzHistories(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{7, 7, 5, 0, 6})
	rigs := map[localaitest.Template]*rig{}
	for template := range templates {
		rigs[template] = strictEngine(f, template, rulesOf(template))
	}
	f.Fuzz(func(t *testing.T, sequence []byte) {
		var messages []string
		for i, step := range sequence[:min(len(sequence), 12)] {
			messages = append(messages, message(step, i))
		}
		if len(messages) == 0 {
			return
		}
		body := fmt.Sprintf(`{"messages":[%s],"max_tokens":2}`, strings.Join(messages, ","))
		for template, r := range rigs {
			response := r.post(t, appliance.PathChat, body)
			text := read(t, response)
			require.Equal(t, 200, response.StatusCode, "template %d, %s: %s", template, body, text)
		}
	})
}

// message is one of a history. Ids come again, and may belong to nothing.
func message(step byte, i int) string {
	id := fmt.Sprintf("call_%d", step/16%3)
	call := func(id string) string {
		return fmt.Sprintf(`{"id":%q,"type":"function","function":{"name":"f","arguments":"{\"n\":%d}"}}`, id, i)
	}
	switch step % 10 {
	case 0, 1:
		return fmt.Sprintf(`{"role":"user","content":"u%d"}`, i)
	case 2:
		return fmt.Sprintf(`{"role":"assistant","content":"a%d"}`, i)
	case 3:
		return fmt.Sprintf(`{"role":"assistant","content":null,"tool_calls":[%s]}`, call(id))
	case 4:
		return fmt.Sprintf(`{"role":"assistant","content":"a%d","tool_calls":[%s,%s]}`, i, call(id), call(id+"b"))
	case 5, 6:
		return fmt.Sprintf(`{"role":"tool","tool_call_id":%q,"content":"r%d"}`, id, i)
	case 7:
		return fmt.Sprintf(`{"role":"system","content":"s%d"}`, i)
	case 8:
		return fmt.Sprintf(`{"role":"developer","content":[{"type":"text","text":"d%d"}]}`, i)
	}
	return `{"role":"assistant","content":""}`
}
