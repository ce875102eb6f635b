package localaitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// stream sends the answer as server-sent events. Errors are sent as an event too, because
// LocalAI has already sent status 200 by then.
func (g generation) stream(ctx context.Context, w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Connection", "keep-alive")
	events := eventWriter{w: w}
	if failed := g.load(ctx); failed != nil {
		g.dialect.fail(g, events, failed.Message)
		return
	}
	text := textStream{generation: g, events: events}
	a, err := g.answer(ctx, text.token)
	var overflow overflowError
	switch {
	case ctx.Err() != nil:
		return
	case errors.As(err, &overflow):
		g.overflow(events, string(overflow))
		g.dialect.fail(g, events, err.Error())
		return
	case err != nil:
		g.dialect.fail(g, events, err.Error())
		return
	}
	if text.invented {
		a.finishReason = "tool_calls"
	}
	g.toolCalls(events, a)
	g.closing(events, a)
}

// textStream sends the tokens of a text.
type textStream struct {
	generation
	events eventWriter
	// invented says that LocalAI has taken a part of the text for the call of a tool; the rest
	// of the text is lost.
	invented bool
}

func (s *textStream) token(a answer, i int) {
	if s.invented || a.calls != nil && !a.twice {
		return
	}
	if i == 0 {
		s.opening(s.events)
		s.empty(s.events)
	}
	s.events.send(s.chunk(s.dialect.chunk(&a.tokens[i])))
	if len(s.request.Tools) == 0 || s.model.TextIsText && !a.twice || !strings.Contains(a.tokens[i], "}") {
		return
	}
	if call, found := callInText(strings.Join(a.tokens[:i+1], "")); found {
		s.events.send(s.chunk(inventedCall(s.id, call)))
		s.invented = true
	}
}

// toolCalls sends each call in two events, its name and then its arguments in one piece. Of a call
// that came as text the first one is sent already.
func (g generation) toolCalls(events eventWriter, a answer) {
	for _, call := range a.calls {
		if a.twice {
			if call.Index == 0 {
				continue
			}
			call.ID = fmt.Sprintf("%s-%d", g.id, call.Index)
		}
		name, arguments := call, call
		name.Function.Arguments, arguments.Function.Name = "", ""
		for _, half := range []toolCall{name, arguments} {
			events.send(g.chunk(choice{Delta: &chatMessage{Role: "assistant", ToolCalls: []toolCall{half}}}))
		}
	}
}

// overflow sends the backend's error as if it were the first token.
func (g generation) overflow(events eventWriter, message string) {
	if g.dialect.object == chatDialect.object {
		g.opening(events)
	}
	events.send(g.chunk(g.dialect.chunk(&message)))
}

// opening sends the event with the role; for plain completions it is empty.
func (g generation) opening(events eventWriter) {
	first := g.dialect.chunk(nil)
	if first.Delta != nil {
		first.Delta.Role = "assistant"
	}
	events.send(g.chunk(first))
}

// empty sends the event without text that LocalAI sends around the text of a chat, except with
// tools.
func (g generation) empty(events eventWriter) {
	if g.dialect.object == chatDialect.object && len(g.request.Tools) == 0 {
		events.send(g.chunk(g.dialect.chunk(nil)))
	}
}

func (g generation) closing(events eventWriter, a answer) {
	reason := a.finishReason
	g.empty(events)
	g.empty(events)
	if g.dialect.object == completionDialect.object {
		reason = "stop"
		events.send(g.chunk(g.dialect.chunk(nil)))
	}
	last := g.dialect.chunk(nil)
	last.FinishReason = &reason
	events.send(g.chunk(last))
	if g.request.StreamOptions != nil && g.request.StreamOptions.IncludeUsage {
		total := g.dialect.usage(a)
		closing := g.chunk()
		closing.Usage = &total
		events.send(closing)
	}
	events.done()
}

func (g generation) chunk(choices ...choice) completion {
	if choices == nil {
		choices = []choice{}
	}
	return completion{
		Created: time.Now().Unix(), Object: g.dialect.chunkObject, ID: g.id,
		Model: g.model.Name, Choices: choices,
	}
}

// eventWriter writes server-sent events, each flushed at once.
type eventWriter struct{ w http.ResponseWriter }

func (e eventWriter) send(event any) {
	var data bytes.Buffer
	data.WriteString("data: ")
	// These types can always be encoded.
	_ = encodeJSON(&data, event)
	data.WriteByte('\n')
	e.write(data.Bytes())
}

func (e eventWriter) write(data []byte) {
	// A failed write means that the client is gone; its context ends the stream.
	_, _ = e.w.Write(data)
	_ = http.NewResponseController(e.w).Flush()
}

func (e eventWriter) done() { e.write([]byte("data: [DONE]\n\n")) }

type streamError struct {
	Error streamErrorDetail `json:"error"`
}

type streamErrorDetail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Type    string `json:"type"`
}

func (e eventWriter) fail(message string) {
	const kind = "server_error"
	e.send(streamError{streamErrorDetail{Code: kind, Message: message, Type: kind}})
	e.done()
}
