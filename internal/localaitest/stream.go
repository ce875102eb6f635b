package localaitest

import (
	"bytes"
	"context"
	"net/http"
	"time"
)

// stream sends the answer as server-sent events. Errors are sent as an event too, because
// LocalAI has already sent status 200 by then.
func (g generation) stream(ctx context.Context, w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Connection", "keep-alive")
	events := eventWriter{w: w}
	if failed := g.loader.load(ctx, g.model); failed != nil {
		events.fail(failed.Message)
		return
	}
	if failed := g.prompt(); failed != nil {
		events.fail(failed.Error())
		return
	}
	if overflow := contextOverflow(g.request, g.model); overflow != "" {
		g.opening(events)
		events.send(g.chunk(g.dialect.chunk(&overflow)))
		events.fail(internalCallError(overflow))
		return
	}
	a := compose(g.request, g.model)
	sent := ""
	for i := range a.tokens {
		err := g.token(ctx, i)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			events.fail(err.Error())
			return
		}
		if i == 0 {
			g.opening(events)
			g.empty(events)
		}
		events.send(g.chunk(g.dialect.chunk(&a.tokens[i])))
		sent += a.tokens[i]
		if name := namedJSON(sent); name != "" && len(g.request.Tools) > 0 && !g.model.TextIsText {
			events.send(g.chunk(inventedCall(g.id, name)))
			a.finishReason = "tool_calls"
			break // the rest of the text is lost
		}
	}
	g.closing(events, a)
}

// opening sends the event with the role; for plain completions it is empty.
func (g generation) opening(events eventWriter) {
	first := g.dialect.chunk(nil)
	if first.Delta != nil {
		first.Delta["role"] = "assistant"
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
