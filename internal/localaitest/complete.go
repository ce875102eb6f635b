package localaitest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// dialect is what differs between the chat and the plain completion route.
type dialect struct {
	// object and chunkObject are the "object" fields.
	object, chunkObject string
	// full returns the choice for an answer in one piece.
	full func(answer) choice
	// chunk returns the choice for one event; a nil text means an event without text.
	chunk func(text *string) choice
	// fail ends a stream with an error.
	fail func(g generation, events eventWriter, message string)
	// usage returns the usage the route reports; plain completions always report nothing.
	usage func(answer) usage
}

type completion struct {
	Created int64    `json:"created"`
	Object  string   `json:"object"`
	ID      string   `json:"id"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage,omitempty"`
}

type choice struct {
	Index        int          `json:"index"`
	FinishReason *string      `json:"finish_reason"`
	Message      *chatMessage `json:"message,omitempty"`
	Delta        *chatMessage `json:"delta,omitempty"`
	Text         *string      `json:"text,omitempty"`
}

// chatMessage is an answer or a piece of one.
type chatMessage struct {
	Role      string     `json:"role,omitempty"`
	Content   *string    `json:"content"`
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
}

var chatDialect = dialect{
	object:      "chat.completion",
	chunkObject: "chat.completion.chunk",
	full:        fullChat,
	chunk:       func(text *string) choice { return choice{Delta: &chatMessage{Content: text}} },
	fail:        func(_ generation, events eventWriter, message string) { events.fail(message) },
	usage:       answer.usage,
}

// fullChat numbers no calls, as LocalAI.
func fullChat(a answer) choice {
	text := a.text()
	if a.calls != nil {
		text = ""
	}
	calls := slices.Clone(a.calls)
	for i := range calls {
		calls[i].Index = 0
	}
	return choice{FinishReason: &a.finishReason, Message: &chatMessage{Role: "assistant", Content: &text, ToolCalls: calls}}
}

var completionDialect = dialect{
	object:      "text_completion",
	chunkObject: "text_completion",
	full: func(a answer) choice {
		text, reason := a.text(), "stop"
		return choice{FinishReason: &reason, Text: &text}
	},
	chunk: func(text *string) choice { return choice{Text: text} },
	// The error looks like the end of the text, and no [DONE] follows.
	fail: func(g generation, events eventWriter, message string) {
		text, reason := "Internal error: "+message, "stop"
		events.send(g.chunk(choice{FinishReason: &reason, Text: &text}))
	},
	usage: func(answer) usage { return usage{} },
}

func (h *Handler) serveChat(w http.ResponseWriter, r *http.Request) {
	h.complete(w, r, chatDialect)
}

func (h *Handler) serveCompletions(w http.ResponseWriter, r *http.Request) {
	h.complete(w, r, completionDialect)
}

// complete answers one generating request. An error after the model is known has a correlation
// id, an error before does not.
func (h *Handler) complete(w http.ResponseWriter, r *http.Request, d dialect) {
	request, failed := readRequest(r)
	if failed != nil {
		writeError(w, failed)
		return
	}
	model, failed := h.model(request.Model)
	if failed != nil {
		writeError(w, failed)
		return
	}
	id := newID()
	w.Header().Set("X-Correlation-Id", id)
	if failed := h.admission.enter(model); failed != nil {
		writeError(w, failed)
		return
	}
	defer h.admission.leave(model)
	g := generation{Handler: h, dialect: d, request: request, model: model, id: id}
	if request.Stream {
		g.stream(r.Context(), w)
		return
	}
	g.whole(r.Context(), w)
}

// generation is one answer being sent to a client.
type generation struct {
	*Handler
	dialect dialect
	request completionRequest
	model   Model
	id      string
}

// whole sends the answer in one piece, after the time that all its tokens take.
func (g generation) whole(ctx context.Context, w http.ResponseWriter) {
	if failed := g.load(ctx); failed != nil {
		writeError(w, failed)
		return
	}
	a, err := g.answer(ctx, func(answer, int) {})
	if err != nil {
		writeError(w, &httpError{Status: http.StatusInternalServerError, Message: err.Error()})
		return
	}
	total, id := g.dialect.usage(a), newID()
	if a.twice {
		// What LocalAI found in the text has the id of the answer.
		for i := range a.calls {
			a.calls[i].ID = id
		}
	}
	writeJSON(w, http.StatusOK, completion{
		Created: time.Now().Unix(), Object: g.dialect.object, ID: id, Model: g.model.Name,
		Choices: []choice{g.dialect.full(a)}, Usage: &total,
	})
}

// load loads the model. A backend that failed knows no prompt any more.
func (g generation) load(ctx context.Context) *httpError {
	failed := g.loader.load(ctx, g.model)
	if failed != nil {
		g.slots[g.model.Name].forget(ctx)
	}
	return failed
}

// overflowError is the error of a prompt that does not fit into the context.
type overflowError string

func (e overflowError) Error() string { return internalCallError(string(e)) }

// answer has the backend read the prompt and generate the answer, whose tokens are told one by
// one. It waits until the answers before it are complete.
func (g generation) answer(ctx context.Context, generated func(a answer, token int)) (answer, error) {
	prompt, err := g.request.prompt(g.model.Template)
	if err != nil {
		return answer{}, errors.New(argumentCallError(err.Error()))
	}
	if err := g.options.Engine.Tokenize(g.model, longestRun(prompt)); err != nil {
		return answer{}, err
	}
	slot := g.slots[g.model.Name]
	if err := slot.take(ctx); err != nil {
		return answer{}, err
	}
	defer slot.leave()
	if overflow := contextOverflow(prompt, g.model); overflow != "" {
		return answer{}, overflowError(overflow)
	}
	if err := g.read(ctx, slot, prompt); err != nil {
		return answer{}, err
	}
	a := compose(g.request, prompt, g.model)
	for i, token := range a.tokens {
		if err := g.token(ctx, slot, token); err != nil {
			return answer{}, err
		}
		generated(a, i)
	}
	return a, nil
}

// read has the prompt read and tells how much that was.
func (g generation) read(ctx context.Context, slot *slot, prompt string) error {
	read, err := slot.read(ctx, prompt, g.options.ReadingSpeed, func() error { return g.options.Engine.Check(g.model) })
	g.options.OnRead(Reading{Model: g.model.Name, Prompt: max(1, len(prompt)), Read: read})
	return err
}

// token waits as long as a token takes to generate.
func (g generation) token(ctx context.Context, slot *slot, token string) error {
	if err := wait(ctx, g.options.TokenDelay); err != nil {
		return err
	}
	if err := g.options.Engine.Check(g.model); err != nil {
		slot.lose()
		return err
	}
	slot.cached = append(slot.cached, token...)
	return nil
}

// internalCallError returns an error of the backend in the form in which it arrives through
// gRPC.
func internalCallError(message string) string {
	return "rpc error: code = Internal desc = " + message
}

// argumentCallError is the same for a request that the backend refuses.
func argumentCallError(message string) string {
	return "rpc error: code = InvalidArgument desc = " + message
}

// newID returns a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see its documentation
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
