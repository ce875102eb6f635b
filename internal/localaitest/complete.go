package localaitest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
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
	Index        int            `json:"index"`
	FinishReason *string        `json:"finish_reason"`
	Message      *chatMessage   `json:"message,omitempty"`
	Delta        map[string]any `json:"delta,omitempty"`
	Text         *string        `json:"text,omitempty"`
}

type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

var chatDialect = dialect{
	object:      "chat.completion",
	chunkObject: "chat.completion.chunk",
	full: func(a answer) choice {
		return choice{FinishReason: &a.finishReason, Message: &chatMessage{Role: "assistant", Content: a.text()}}
	},
	chunk: func(text *string) choice { return choice{Delta: map[string]any{"content": text}} },
	usage: answer.usage,
}

var completionDialect = dialect{
	object:      "text_completion",
	chunkObject: "text_completion",
	full: func(a answer) choice {
		text, reason := a.text(), "stop"
		return choice{FinishReason: &reason, Text: &text}
	},
	chunk: func(text *string) choice { return choice{Text: text} },
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
	if failed := g.loader.load(ctx, g.model); failed != nil {
		writeError(w, failed)
		return
	}
	if failed := g.prompt(); failed != nil {
		writeError(w, &httpError{Status: http.StatusInternalServerError, Message: failed.Error()})
		return
	}
	if overflow := contextOverflow(g.request, g.model); overflow != "" {
		writeError(w, &httpError{Status: http.StatusInternalServerError, Message: internalCallError(overflow)})
		return
	}
	a := compose(g.request, g.model)
	for i := range a.tokens {
		if err := g.token(ctx, i); err != nil {
			writeError(w, &httpError{Status: http.StatusInternalServerError, Message: err.Error()})
			return
		}
	}
	total := g.dialect.usage(a)
	writeJSON(w, http.StatusOK, completion{
		Created: time.Now().Unix(), Object: g.dialect.object, ID: newID(), Model: g.model.Name,
		Choices: []choice{g.dialect.full(a)}, Usage: &total,
	})
}

// prompt renders the history and splits it into tokens.
func (g generation) prompt() error {
	if refused := refusal(g.request.Messages); refused != "" && !g.model.Lenient {
		return errors.New(argumentCallError(templateError(refused)))
	}
	return g.options.Engine.Tokenize(g.model, g.request.longestRun())
}

// token waits as long as token number i takes to generate.
func (g generation) token(ctx context.Context, i int) error {
	delay := g.options.TokenDelay
	if i == 0 {
		delay = g.options.FirstTokenDelay
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return g.options.Engine.Check(g.model)
	}
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
