package messages

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
)

func TestTheBeginningThatWasGivenIsNotRepeated(t *testing.T) {
	for name, tt := range map[string]struct {
		given string
		said  []string
		want  string
	}{
		"nothing given":     {"", []string{"a", "b"}, "ab"},
		"in one piece":      {`{"a":`, []string{`{"a":1}`}, "1}"},
		"in several":        {`{"a":`, []string{`{"`, `a`, `":1`, `}`}, "1}"},
		"exactly":           {"ab", []string{"ab", "c"}, "c"},
		"something else":    {"ab", []string{"a", "x"}, "ax"},
		"a repetition":      {"a", []string{"a", "a"}, "a"},
		"not to the end":    {"abc", []string{"a"}, ""},
		"empty, in between": {"ab", []string{"a", "", "bc"}, "c"},
	} {
		g, got := given{rest: tt.given}, ""
		for _, text := range tt.said {
			got += g.leaveOut(text)
		}
		assert.Equal(t, tt.want, got, name)
	}
	assert.Equal(t, "b", lastWords([]chat.Message{{Role: chat.User, Content: chat.Text("a")}, {Role: chat.Assistant, Content: chat.Text("b")}}))
	assert.Empty(t, lastWords([]chat.Message{{Role: chat.User, Content: chat.Text("a")}}))
	assert.Empty(t, lastWords([]chat.Message{{Role: chat.Assistant, Content: chat.Text("a"), ToolCalls: []chat.ToolCall{{}}}}))
}
