package gateway

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/engine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// call is a request for an answer, ready for the engine.
type call struct {
	question engine.Question
	// stream is false for a client that wants the answer in one piece.
	stream bool
	// tools is true if the request has some.
	tools  bool
	answer answer
	// texts are what the prompt says, tools included, until it is admitted; size is how many bytes
	// they have, and least a number of tokens below which they cannot come.
	texts       []string
	size, least int
}

// say sets what the prompt says.
func (c *call) say(texts ...string) {
	c.texts = texts
	for _, text := range texts {
		c.size += len(text)
	}
}

// chatCall reads a request for Chat Completions.
func chatCall(body []byte, c *Config) (*call, *failure.Error) {
	fields, failed := parse(body)
	if failed != nil {
		return nil, failed
	}
	if failed := c.checkModel(fields); failed != nil {
		return nil, failed
	}
	var messages []json.RawMessage
	if failed := fields.decode("messages", &messages); failed != nil {
		return nil, failed
	}
	history, failed := c.History.Normalize(messages)
	if failed != nil {
		return nil, failed
	}
	if history.Changed {
		fields.set("messages", history.Messages)
	}
	if failed := fields.checkUnsupported(); failed != nil {
		return nil, failed
	}
	if failed := fields.chooseTool(); failed != nil {
		return nil, failed
	}
	if failed := fields.convertible(); failed != nil {
		return nil, failed
	}
	if failed := fields.limitAnswer(); failed != nil {
		return nil, failed
	}
	made, failed := fields.call(engine.PathChat, &relayed{})
	if failed != nil {
		return nil, failed
	}
	made.tools = fields["tools"] != nil
	made.say(append(history.Text, string(fields["tools"]))...)
	for i, text := range history.Text {
		// A template may cut the blanks at both ends.
		history.Text[i] = strings.TrimSpace(text)
	}
	made.least = c.Vocabulary.MinTokens(history.Text...)
	return made, nil
}

// textCall reads a request for /v1/completions.
func textCall(body []byte, c *Config) (*call, *failure.Error) {
	fields, failed := parse(body)
	if failed != nil {
		return nil, failed
	}
	if failed := c.checkModel(fields); failed != nil {
		return nil, failed
	}
	prompt, valid := textOf(fields["prompt"])
	if !valid {
		return nil, failure.Invalid("prompt", "prompt is neither a string nor a list of one string.")
	}
	fields.set("prompt", prompt)
	if failed := fields.limitAnswer(); failed != nil {
		return nil, failed
	}
	made, failed := fields.call(engine.PathCompletions, &relayed{text: true})
	if failed != nil {
		return nil, failed
	}
	made.say(prompt)
	made.least = c.Vocabulary.MinTokens(strings.TrimSpace(prompt))
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
