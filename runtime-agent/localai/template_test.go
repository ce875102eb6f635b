package localai

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nodetest"
)

// history is a conversation as a client sends it.
type history struct {
	Messages []map[string]any `json:"messages"`
	Tools    []any            `json:"tools,omitempty"`
}

// rendering is the prompt for a history, or why the template refuses it.
type rendering struct{ Text, Error string }

// render has a real Jinja engine render the histories.
func render(t *testing.T, dir, template string, histories []history) []rendering {
	t.Helper()
	input, err := json.Marshal(map[string]any{"template": template, "histories": histories})
	require.NoError(t, err)
	command := exec.Command("node", "render.mjs")
	command.Dir, command.Stdin = dir, bytes.NewReader(input)
	output, err := command.Output()
	require.NoError(t, err)
	var results []rendering
	require.NoError(t, json.Unmarshal(output, &results))
	require.Len(t, results, len(histories))
	return results
}

func says(role string, content any) map[string]any {
	return map[string]any{"role": role, "content": content}
}

var (
	text  = []any{map[string]any{"type": "text", "text": "in "}, map[string]any{"type": "text", "text": "parts"}}
	calls = map[string]any{"role": "assistant", "content": "", "tool_calls": []any{
		map[string]any{"id": "abcdefghi", "type": "function", "function": map[string]any{"name": "ls", "arguments": `{"path":"."}`}},
	}}
	result = map[string]any{"role": "tool", "tool_call_id": "abcdefghi", "content": "a.go"}
	// kinds are the messages that the histories below are made of.
	kinds = []map[string]any{
		says("system", "S"), says("system", text), says("developer", "D"), says("developer", text), says("user", "u"), says("user", text),
		says("assistant", "a"), says("assistant", ""), calls, result,
	}
	ls = []any{map[string]any{"type": "function", "function": map[string]any{"name": "ls"}}}
)

// everyHistory returns every sequence of up to three kinds of messages, and some longer ones.
func everyHistory() []history {
	var all []history
	for _, a := range kinds {
		all = append(all, history{Messages: []map[string]any{a}})
		for _, b := range kinds {
			all = append(all, history{Messages: []map[string]any{a, b}, Tools: ls})
			for _, c := range kinds {
				all = append(all, history{Messages: []map[string]any{a, b, c}})
			}
		}
	}
	return append(all,
		history{Messages: []map[string]any{says("system", "S"), says("user", "u"), calls, result, says("assistant", "a"), says("user", "u")}, Tools: ls},
		history{Messages: []map[string]any{says("user", "u"), calls, result, calls, result, says("assistant", "a"), says("user", text), says("assistant", "b")}})
}

func TestTheRelaxedTemplateTakesEveryHistoryAndChangesNone(t *testing.T) {
	strict, err := os.ReadFile("testdata/strict.jinja")
	require.NoError(t, err)
	relaxed := RelaxedTemplate(string(strict))
	require.NotEmpty(t, relaxed)
	dir, histories := nodetest.Install(t, "testdata/jinja"), everyHistory()
	before, after := render(t, dir, string(strict), histories), render(t, dir, relaxed, histories)

	accepted := 0
	for i, h := range histories {
		name, _ := json.Marshal(h)
		assert.Empty(t, after[i].Error, "%s", name)
		if before[i].Error == "" {
			accepted++
			assert.Equal(t, before[i].Text, after[i].Text, "%s", name)
		}
	}
	assert.Greater(t, accepted, 50, "else nothing was compared")
	assert.Greater(t, len(histories)-accepted, 500, "else nothing was refused before")
}

func TestWhatTheRelaxedTemplateRenders(t *testing.T) {
	strict, err := os.ReadFile("testdata/strict.jinja")
	require.NoError(t, err)
	const system = "<s>[SYSTEM_PROMPT]You are a test.[/SYSTEM_PROMPT]"
	var histories []history
	var want []string
	for _, c := range []struct {
		messages []map[string]any
		want     string
	}{
		{[]map[string]any{says("user", "one"), says("user", "two")}, system + "[INST]one[/INST][INST]two[/INST]"},
		{[]map[string]any{says("user", "u"), calls, result, says("user", "stop")}, system + `[INST]u[/INST][TOOL_CALLS]ls[ARGS]{"path":"."}</s>[TOOL_RESULTS]a.go[/TOOL_RESULTS][INST]stop[/INST]`},
		{[]map[string]any{says("assistant", "a"), says("user", "u")}, system + "a</s>[INST]u[/INST]"},
		{[]map[string]any{says("developer", "D"), says("developer", text), says("user", "u")}, "<s>[SYSTEM_PROMPT]D[/SYSTEM_PROMPT][SYSTEM_PROMPT]in parts[/SYSTEM_PROMPT][INST]u[/INST]"},
		{[]map[string]any{says("system", "S"), says("user", "u"), says("system", text), says("user", "v")}, "<s>[SYSTEM_PROMPT]S[/SYSTEM_PROMPT][INST]u[/INST][SYSTEM_PROMPT]in parts[/SYSTEM_PROMPT][INST]v[/INST]"},
		{[]map[string]any{says("user", "u"), says("assistant", ""), says("user", "v")}, system + "[INST]u[/INST]</s>[INST]v[/INST]"},
	} {
		histories, want = append(histories, history{Messages: c.messages}), append(want, c.want)
	}
	histories = append(histories, history{Messages: []map[string]any{says("critic", "c")}},
		history{Messages: []map[string]any{says("user", []any{map[string]any{"type": "audio"}})}})
	got := render(t, nodetest.Install(t, "testdata/jinja"), RelaxedTemplate(string(strict)), histories)
	for i, text := range want {
		assert.Equal(t, rendering{Text: text}, got[i])
	}
	assert.Contains(t, got[len(want)].Error, "got critic", "a role that nobody knows is still refused")
	assert.Contains(t, got[len(want)+1].Error, "may hold text alone", "and content that cannot be rendered")
}

// What another writes into the checks: Unsloth leaves out the full stop, others the dashes.
func TestRelaxedTemplateKnowsVariants(t *testing.T) {
	for name, c := range map[string]struct{ template, want string }{
		"no dashes":     {"[SYSTEM_PROMPT]{{ raise_exception('roles must alternate!') }}", "[SYSTEM_PROMPT]{{- '' }}"},
		"no full stop":  {"[SYSTEM_PROMPT]{{- raise_exception('Only user, assistant and tool roles are supported, got ' + message['role']) }}", "got ' + message['role']) }}\n        {%- endif %}"},
		"an early role": {"[SYSTEM_PROMPT]{%- if messages[0]['role'] == 'system' %}{{- raise_exception('Only user roles are supported, got ' + message['role']) }}", "messages[0]['role'] in ['system', 'developer']"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Contains(t, RelaxedTemplate(c.template), c.want)
		})
	}
}

func TestATemplateThatNeedsNothingIsLeftAlone(t *testing.T) {
	for name, template := range map[string]string{
		"none":                        "",
		"without checks":              "[SYSTEM_PROMPT]{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}\n{% endfor %}",
		"of another family":           "<start_of_turn>{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}",
		"with other checks":           "[SYSTEM_PROMPT]{{- raise_exception('Only text chunks are supported in user message content.') }}",
		"already relaxed":             RelaxedTemplate("[SYSTEM_PROMPT]{{- raise_exception('roles must alternate') }}"),
		"that has the words as text":  "[SYSTEM_PROMPT]conversation roles must alternate",
		"that names another variable": "[SYSTEM_PROMPT]{{- raise_exception('Only user roles are supported, got ' + turn['role']) }}",
	} {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, RelaxedTemplate(template))
		})
	}
}

func FuzzRelaxedTemplate(f *testing.F) {
	strict, err := os.ReadFile("testdata/strict.jinja")
	require.NoError(f, err)
	f.Add(string(strict))
	f.Add("[SYSTEM_PROMPT]{{- raise_exception('must alternate')}}")
	f.Fuzz(func(t *testing.T, template string) {
		relaxed := RelaxedTemplate(template)
		if relaxed == "" {
			return
		}
		require.NotEqual(t, template, relaxed)
		require.NotRegexp(t, alternation, relaxed)
		require.Contains(t, relaxed, systemMark)
	})
}
