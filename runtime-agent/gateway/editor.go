package gateway

import (
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/engine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/fim"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/prompt"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
)

// The limits of a completion in an editor, which somebody waits for who types.
const (
	// longestMiddle is how many bytes of the file the model reads around the cursor: some 1,024 tokens, as many as Continue
	// sends by itself (TabAutocompleteOptions, maxPromptTokens). A CPU reads them for 20 to 40 s, once for each place.
	longestMiddle = 3584
	// usualMiddle is how many tokens the answer has at most if the client does not say, mostMiddle if it asks for more: plugins
	// send what they are configured with for chats.
	usualMiddle, mostMiddle = 128, 256
	// middleMargin is room in the context for the tokens between the parts, and for one at the beginning.
	middleMargin = 16
)

// The reasons for which a completion in an editor is answered with nothing.
var (
	errSuperseded = &failure.Error{Message: "its client has sent a newer one"}
	errCrowds     = &failure.Error{Message: "a conversation would have to be read again"}
)

// middle returns what stands around the cursor, if that is what the request is about: it has a suffix, or its prompt is
// made of the model's own tokens, as those of Continue and Twinny are.
func (c *Config) middle(fields object, text string) (prefix, suffix string, asked bool, failed *failure.Error) {
	if failed := fields.decode("suffix", &suffix); failed != nil {
		return "", "", false, failed
	}
	delete(fields, "suffix")
	switch {
	case suffix == "":
		prefix, suffix, asked = fim.Split(c.FIM, text)
		return prefix, suffix, asked, nil
	case !c.FIM.Known():
		return "", "", false, failure.Invalid("suffix", "%q does not fill in the middle of a text: its file has no tokens for that. "+
			"An appliance with another model does, such as qwen2.5-coder-7b. Turn completion in the editor off, or leave suffix out to have the prompt continued.", c.Model)
	}
	return text, suffix, true, nil
}

// fill makes the call of a request to fill in the middle.
func (c *Config) fill(fields object, prefix, suffix string) (*call, *failure.Error) {
	limit := usualMiddle
	if failed := fields.decode("max_tokens", &limit); failed != nil {
		return nil, failed
	}
	limit = min(limit, mostMiddle)
	fields.set("max_tokens", limit)
	stops, failed := fields.stops()
	if failed != nil {
		return nil, failed
	}
	fields.set("stop", fim.Stops(c.FIM, stops))
	// A byte is a token at most, so what is left fits into the context.
	room := max(min(longestMiddle, c.ContextSize-limit-middleMargin), 0)
	prefix, suffix = fim.Around(fim.Break(c.FIM, prefix), fim.Break(c.FIM, suffix), room)
	first, second := fim.Prompt(c.FIM, prefix, suffix)
	fields.set("prompt", first+second)
	made, failed := fields.call(engine.PathCompletions, &relayed{text: true})
	if failed != nil {
		return nil, failed
	}
	made.editor = true
	made.say(prompt.Part{Place: prompt.Place{Field: "prompt"}, Text: first}, prompt.Part{Place: prompt.Place{Field: "prompt"}, Text: second})
	return made, nil
}

// stops reads the field stop: a string, a list of strings or null.
func (o object) stops() ([]string, *failure.Error) {
	if raw := o["stop"]; len(raw) > 0 && raw[0] == '"' {
		var one string
		failed := o.decode("stop", &one)
		return []string{one}, failed
	}
	var several []string
	failed := o.decode("stop", &several)
	return several, failed
}

// mayBegin returns why a request whose turn has come is not given to the engine.
func (r *reply) mayBegin() *failure.Error {
	if r.editor && r.cache.Crowds(r.print, r.printed()+r.maxTokens) {
		return errCrowds
	}
	return nil
}

// denseCode is how many bytes a token has in code with much punctuation: with the usual number the engine's cache might be
// fuller than the gateway takes it for. LocalAI never says how many tokens a plain prompt has.
const denseCode = 2.5

// printed estimates how many tokens the prompt has.
func (r *reply) printed() int {
	tokens := r.budget.estimate(r.session(), r.print.Size())
	if r.editor {
		return max(tokens, int(float64(r.print.Size())/denseCode))
	}
	return tokens
}

// nothing answers a completion in an editor with no text, for which no plugin shows anything. For an error Continue
// (CompletionProvider, onError) and minuet-ai (utils, stream_decode) put a message before whoever types.
func (r *reply) nothing(why *failure.Error) {
	r.log.Info("answered with nothing", "cause", why.Message)
	none := chat.Chunk{
		ID: newID("cmpl-"), Object: "text_completion", Created: time.Now().Unix(), Model: r.Model,
		Choices: []chat.ChunkChoice{{Text: chat.Text(""), FinishReason: chat.Text(chat.Stop)}},
	}
	r.add(engine.Event{Raw: sse.Data(none), Chunk: none})
	r.add(engine.Event{Raw: sse.End(), Done: true})
}

// leftUnread notes what the engine has read of a completion whose client went away before the answer: mostly a part of it,
// which the next one begins with.
func (r *reply) leftUnread() {
	if r.editor && r.cost.worked > 0 {
		r.cache.Read(r.print, r.printed())
	}
}
