package gateway

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/beginning"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/engine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/prompt"
)

// call is a request for an answer, ready for the engine.
type call struct {
	question engine.Question
	// stream is false for a client that wants the answer in one piece.
	stream bool
	answer answer
	// parts are what the prompt says, until it is admitted; size is how many bytes they have, and
	// least a number of tokens below which they cannot come.
	parts       []prompt.Part
	size, least int
	// first is what the user said first, as it was sent.
	first string
	// maxTokens is the limit of the answer, 0 for none.
	maxTokens int
	// editor is true for a completion in an editor: it is worth nothing once its user has typed on.
	editor bool
	asked
}

// say sets what the prompt says.
func (c *call) say(parts ...prompt.Part) {
	c.parts = parts
	for _, part := range parts {
		c.size += len(part.Text)
	}
}

// text returns all that the prompt says.
func (c *call) text() string {
	texts := make([]string, len(c.parts))
	for i, part := range c.parts {
		texts[i] = part.Text
	}
	return strings.Join(texts, "\n")
}

// divider returns the system prompt and the tools of a prompt as they should be, and what moves out of
// the system prompt. A conversation goes by what the user says first.
type divider func(first, system string, tools []beginning.Tool) (stays, moves string, ordered []beginning.Tool)

// chatCall reads a request for Chat Completions.
func (o object) chatCall(c *Config, divide divider) (*call, *failure.Error) {
	if failed := c.checkModel(o); failed != nil {
		return nil, failed
	}
	var messages []json.RawMessage
	if failed := o.decode("messages", &messages); failed != nil {
		return nil, failed
	}
	if failed := o.checkUnsupported(); failed != nil {
		return nil, failed
	}
	if failed := o.chooseTool(); failed != nil {
		return nil, failed
	}
	tools, failed := o.canonicalTools()
	if failed != nil {
		return nil, failed
	}
	said, failed := c.History.Normalize(messages, func(first, system string) (stays, moves string) {
		stays, moves, tools = divide(first, system, tools)
		return stays, moves
	})
	if failed != nil {
		return nil, failed
	}
	if said.Changed {
		o.set("messages", said.Messages)
	}
	o.setTools(tools)
	if failed := o.limitAnswer(); failed != nil {
		return nil, failed
	}
	made, failed := o.call(engine.PathChat, &relayed{})
	if failed != nil {
		return nil, failed
	}
	made.say(arranged(said.Parts, toolParts(tools))...)
	// A template marks each message with a token at least.
	made.least, made.first = max(c.minTokens(said.Parts...), len(said.Messages)), said.First
	return made, nil
}

// arranged returns the parts of a prompt in the order of most chat templates: the system prompt, the
// tools, the rest.
func arranged(said, tools []prompt.Part) []prompt.Part {
	system := 0
	if len(said) > 0 && said[0].Role == chat.System {
		system = 1
	}
	return slices.Concat(said[:system], tools, said[system:])
}

// minTokens is a number of tokens below which what the parts say cannot come.
func (c *Config) minTokens(parts ...prompt.Part) int {
	texts := make([]string, len(parts))
	for i, part := range parts {
		// A template may cut the blanks at both ends.
		texts[i] = strings.TrimSpace(part.Text)
	}
	return c.Vocabulary.MinTokens(texts...)
}

// longestFirst is how much of a text to go on with tells it from others, in bytes.
const longestFirst = 256

// textCall reads a request for /v1/completions.
func textCall(body []byte, c *Config) (*call, *failure.Error) {
	fields, failed := parse(body)
	if failed != nil {
		return nil, failed
	}
	if failed := c.checkModel(fields); failed != nil {
		return nil, failed
	}
	text, valid := textOf(fields["prompt"])
	if !valid {
		return nil, failure.Invalid("prompt", "prompt is neither a string nor a list of one string.")
	}
	fields.set("prompt", text)
	if failed := fields.limitAnswer(); failed != nil {
		return nil, failed
	}
	prefix, suffix, asked, failed := c.middle(fields, text)
	if failed != nil {
		return nil, failed
	}
	if asked {
		return c.fill(fields, prefix, suffix)
	}
	made, failed := fields.call(engine.PathCompletions, &relayed{text: true})
	if failed != nil {
		return nil, failed
	}
	made.say(prompt.Part{Place: prompt.Place{Field: "prompt"}, Text: text})
	made.least, made.first = c.minTokens(made.parts...), text[:min(len(text), longestFirst)]
	return made, nil
}

// call makes the question. The engine always streams, so that it notices a client that goes away
// and the gateway what the answer is; and it always tells the numbers of tokens.
func (o object) call(path string, a answer) (*call, *failure.Error) {
	made := &call{answer: a, question: engine.Question{Path: path}}
	if failed := o.decode("stream", &made.stream); failed != nil {
		return nil, failed
	}
	var options chat.StreamOptions
	if failed := o.decode("stream_options", &options); failed != nil {
		return nil, failed
	}
	made.question.Usage = options.IncludeUsage && made.stream || !made.stream
	o.set("stream", true)
	o.set("stream_options", chat.StreamOptions{IncludeUsage: true})
	if failed := o.decode("max_tokens", &made.maxTokens); failed != nil {
		return nil, failed
	}
	made.question.Body, made.question.Length = o.reader()
	return made, nil
}

// checkModel refuses models that are not here. A request that names none is for the one that is.
func (c *Config) checkModel(fields object) *failure.Error {
	var model string
	if failed := fields.decode("model", &model); failed != nil {
		return failed
	}
	if c.named(model) != c.Model {
		return c.noModel(model)
	}
	fields.set("model", c.Model)
	return nil
}

// named returns the model that a request names, or the one that is here.
func (c *Config) named(model string) string {
	if model == "" {
		return c.Model
	}
	return model
}

func (c *Config) noModel(name string) *failure.Error {
	failed := failure.Invalid("model", "There is no model %q here. This appliance serves %q.", name, c.Model)
	failed.Status, failed.Code = http.StatusNotFound, "model_not_found"
	return failed
}
