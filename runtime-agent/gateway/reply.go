package gateway

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/engine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/queue"
)

// reply is the answer to one request, as it is sent.
type reply struct {
	*request
	*call
	// leave ends the request as its client would.
	leave func()
	// alive fires when the client has heard nothing for a while.
	alive *time.Timer
	// read is true once the engine has read the prompt.
	read bool
}

// wait returns when it is the request's turn.
func (r *reply) wait(ctx context.Context, ticket *queue.Ticket) *failure.Error {
	defer r.cost.waits(time.Now())
	for {
		select {
		case <-ticket.Ready():
			return r.mayBegin()
		case <-ticket.Superseded():
			if r.editor {
				return errSuperseded
			}
			return errGivenUp
		case <-ctx.Done():
			return nil
		case <-r.stopping.Done():
			return errRestarting
		case <-r.alive.C:
			r.live(fmt.Sprintf("waiting, place %d in the queue", ticket.Place()))
		}
	}
}

// relay asks the engine, and sends what it says. The error is errRevoked if the turn is taken back,
// before the engine has said anything, and errGivenUp for idle work that somebody ends; it has stopped then.
func (r *reply) relay(ctx context.Context, cancel context.CancelCauseFunc, ticket *queue.Ticket) *failure.Error {
	asked := time.Now()
	defer r.cost.works(asked)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	events := make(chan said)
	go r.listen(ctx, events)
	silence := time.NewTimer(r.silence())
	defer silence.Stop()
	revoked := ticket.Revoked()
	ended := func(why *failure.Error) *failure.Error {
		stop()
		for range events { //nolint:revive // until the engine is told
		}
		return why
	}
	for {
		select {
		case next, open := <-events:
			if !open {
				return nil // ctx is over
			}
			if next.read {
				r.read, revoked = true, nil
				ticket.Begun()
				silence.Reset(r.silence())
				continue
			}
			r.heard(ctx, next)
			if next.err != nil {
				return engine.As(next.err)
			}
			r.learn(next.event)
			r.add(next.event)
			if next.event.Done {
				return nil
			}
			silence.Reset(r.silence())
		case <-r.alive.C:
			r.live(fmt.Sprintf("%s, %d s so far", doing(r.read), int(time.Since(asked).Seconds())))
		case <-revoked:
			return ended(errRevoked)
		case <-ticket.Superseded():
			return ended(errGivenUp)
		case <-silence.C:
			cancel(errSilent)
			r.numbers.engineUp.Store(false)
			return r.silent()
		case <-r.ending.Done():
			return errRestarting
		case <-ctx.Done():
			return nil
		}
	}
}

// doing says why the client hears nothing. LocalAI sends a tool call only when it is whole.
func doing(read bool) string {
	if read {
		return "writing a tool call"
	}
	return "reading the prompt"
}

// listen asks the engine and passes on what it says, until ctx is over. Then it closes events.
func (r *reply) listen(ctx context.Context, events chan<- said) {
	defer close(events)
	pass := func(next said) bool {
		select {
		case events <- next:
			return next.err == nil && !next.event.Done
		case <-ctx.Done():
			return false
		}
	}
	stream, err := r.engine.Ask(ctx, r.question)
	if err != nil {
		pass(said{err: err})
		return
	}
	defer stream.Close()
	// LocalAI sends no head before the first token. Tool calls it writes for minutes, and sends at the end.
	if !pass(said{read: true}) {
		return
	}
	for {
		event, err := stream.Next()
		if !pass(said{event: event, err: err}) {
			return
		}
	}
}

// learn remembers how long the prompt was.
func (r *reply) learn(event engine.Event) {
	if usage := event.Chunk.Usage; event.Done && usage != nil {
		r.budget.learn(r.session(), r.size, usage.PromptTokens, r.ContextSize)
	}
}

// add sends what an event adds to the answer.
func (r *reply) add(event engine.Event) {
	part := r.answer.Add(event)
	switch {
	case r.stream:
		r.start()
		r.write(part)
	case event.Done:
		r.end(r.answer.Whole())
	}
}

// live sends a sign of life.
func (r *reply) live(note string) {
	if r.stream {
		if !r.begun {
			r.start()
			r.write(r.answer.Begin())
		}
		r.write(r.answer.Alive(note))
		return
	}
	// JSON may have white space before it.
	r.start()
	r.write([]byte("\n"))
}

// start sends the head, unless it is sent.
func (r *reply) start() {
	if r.begun {
		return
	}
	contentType := "application/json"
	if r.stream {
		contentType = "text/event-stream"
	}
	r.w.Header().Set("Content-Type", contentType)
	r.head(http.StatusOK)
}

// write sends a part at once.
func (r *reply) write(part []byte) {
	if len(part) == 0 {
		return // the client has heard nothing
	}
	r.alive.Reset(r.interval)
	r.limitWrite()
	if _, err := r.w.Write(part); err == nil && http.NewResponseController(r.w).Flush() == nil {
		return
	}
	r.leave() // it is gone, or does not read
}

// end sends an answer in one piece.
func (r *reply) end(body []byte) {
	if !r.begun {
		r.send(http.StatusOK, body)
		return
	}
	r.write(body)
}

// fail ends the answer with an error: with its status, as long as there is none.
func (r *reply) fail(failed *failure.Error) {
	if !r.begun {
		r.refuse(failed)
		return
	}
	r.report(failed)
	r.status = failed.Status
	if r.stream {
		r.write(r.answer.Fail(failed))
		return
	}
	r.write(r.errorBody(failed))
}
