package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/engine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/messages"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/queue"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/responses"
)

// statusGone is what the numbers say of a client that went away, as in nginx.
const statusGone = 499

var (
	errRestarting = failure.Unavailable(errors.New("the gateway restarts"))
	errSilent     = errors.New("the engine was silent for too long")
	errRevoked    = failure.Unavailable(errors.New("its turn is taken back"))
	errGivenUp    = &failure.Error{
		Status: http.StatusTooManyRequests, Type: failure.RateLimit, Code: appliance.CodeGivenUp,
		Message: "Somebody asked the model meanwhile.",
	}
)

// request is one request on its way.
type request struct {
	*Gateway
	*state
	w    http.ResponseWriter
	r    *http.Request
	name string
	// key is the name of the key with which it came.
	key string
	log *slog.Logger
	// status is what became of it, 500 until that is known.
	status int
	cost   cost
	// cacheKey is the field prompt_cache_key.
	cacheKey string
	// begun is true once the head is sent; it then can only end in a part of the body.
	begun bool
}

// head sends the head of the answer.
func (r *request) head(status int) {
	r.begun, r.status = true, status
	r.w.WriteHeader(status)
}

func (r *request) send(status int, body []byte) {
	r.w.Header().Set("Content-Type", "application/json")
	if r.r.Method != http.MethodHead {
		r.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	r.limitWrite()
	r.head(status)
	_, _ = r.w.Write(body) // the client is gone
}

// limitWrite gives the client its time for what is written next.
func (r *request) limitWrite() {
	_ = http.NewResponseController(r.w).SetWriteDeadline(time.Now().Add(writeTimeout)) // a test's writer has none
}

// refuse answers with an error.
func (r *request) refuse(failed *failure.Error) {
	r.report(failed)
	if failed.RetryAfter > 0 {
		r.w.Header().Set("Retry-After", strconv.Itoa(int((failed.RetryAfter+time.Second-1)/time.Second)))
	}
	r.send(failed.Status, r.errorBody(failed))
}

// report logs what the operator should know: clients are not told the cause.
func (r *request) report(failed *failure.Error) {
	if failed.Cause != nil && failed != errRestarting {
		r.log.Error(failed.Message, "cause", failed.Cause, "status", failed.Status)
	}
}

func (r *request) errorBody(failed *failure.Error) []byte {
	switch r.name {
	case appliance.PathMessages, appliance.PathCountTokens:
		return messages.ErrorBody(failed)
	case appliance.PathResponses:
		return responses.ErrorBody(failed)
	}
	return failed.Body()
}

// client is who asks, as nginx says: whoever has a named key, else the address, or the network of an
// IPv6 one, of which a single user has all of a /64.
func (r *request) client() string {
	if r.key != appliance.APIUser && r.key != noKey {
		return "key " + r.key
	}
	name := r.r.Header.Get(appliance.HeaderClient)
	address, err := netip.ParseAddr(name)
	if err != nil || address.Is4() {
		return name
	}
	network, err := address.Prefix(64)
	if err != nil {
		return name
	}
	return network.String()
}

// session tells the sessions of one client apart, where it says which one it is: OpenCode, Codex and
// Claude Code do so in a header, others of OpenAI's clients in a field. Sub-agents are of the same
// session.
func (r *request) session() string {
	for _, header := range []string{"X-Session-Id", "Session-Id", "X-Claude-Code-Session-Id"} {
		if id := r.r.Header.Get(header); id != "" {
			return r.client() + " " + nameOf(id)
		}
	}
	return r.client() + " " + nameOf(r.cacheKey)
}

// decode reads the body for the API that was asked.
func (r *request) decode(body []byte) (*call, *failure.Error) {
	switch r.name {
	case appliance.PathMessages, appliance.PathCountTokens:
		said, failed := messages.Decode(body)
		if failed != nil {
			return nil, failed
		}
		said.Chat.Model = r.named(said.Chat.Model)
		return r.translated(said.Chat, said.Stream, said.Answer(newID("msg_"), time.Now()))
	case appliance.PathResponses:
		said, failed := responses.Decode(body)
		if failed != nil {
			return nil, failed
		}
		said.Chat.Model = r.named(said.Chat.Model)
		r.cacheKey = said.CacheKey
		return r.translated(said.Chat, said.Stream, said.Answer(newID("resp_"), time.Now()))
	case appliance.PathCompletions:
		return textCall(body, r.Config)
	}
	return r.decodeChat(body)
}

func (r *request) decodeChat(body []byte) (*call, *failure.Error) {
	fields, failed := parse(body)
	if failed != nil {
		return nil, failed
	}
	if failed := fields.decode("prompt_cache_key", &r.cacheKey); failed != nil {
		return nil, failed
	}
	if r.isOwn() {
		return fields.chatCall(r.Config, r.divide) // the tools are as their client had them
	}
	if failed := fields.sortTools(); failed != nil {
		return nil, failed
	}
	return fields.chatCall(r.Config, r.divide)
}

func (r *request) read() (*call, *failure.Error) {
	if r.r.ContentLength < 0 || r.r.ContentLength > largeBody {
		// What is decoded takes ten times the room of the body for a moment.
		r.large <- struct{}{}
		defer func() { <-r.large }()
	}
	body, failed := readBody(r.w, r.r)
	if failed != nil {
		return nil, failed
	}
	return r.decode(body)
}

func (r *request) countTokens() {
	said, failed := r.read()
	if failed != nil {
		r.refuse(failed)
		return
	}
	r.send(http.StatusOK, messages.Count(r.counted(said, r.budget.estimate(r.session(), said.size))))
}

// generate answers with what the engine generates.
func (r *request) generate() {
	said, failed := r.read()
	if failed == nil {
		failed = r.admit(said)
	}
	if failed != nil {
		r.refuse(failed)
		return
	}
	r.ask(said)
	said.parts, said.first = nil, "" // they may be large, and the request may wait for long
	held := r.held.Add(said.question.Length)
	defer r.held.Add(-said.question.Length)
	ticket, err := r.queue.Enter(r.client(), r.work(said))
	if err != nil {
		r.refuse(r.busy())
		return
	}
	answered := false
	defer func() { ticket.Leave(answered) }()
	if held > maxHeld {
		r.refuse(r.busy())
		return
	}
	said.question.RequestID = r.r.Header.Get("X-Request-Id")
	answered = r.exchange(said, ticket)
}

// busy is the error of a queue that is full.
func (r *request) busy() *failure.Error {
	wait := max(r.queue.Wait(r.client()), time.Second)
	load := r.queue.Load()
	return &failure.Error{
		Status: http.StatusTooManyRequests, Type: failure.RateLimit, Code: "queue_full", RetryAfter: wait,
		Message: fmt.Sprintf("The model is busy: %d requests are being answered and %d wait, %d of one client at most. Please try again in %ds.",
			load.Running, load.Waiting, maxWaitingOfOne, int(wait.Seconds()+0.5)),
	}
}

// work is what the queue is told of a call.
func (r *request) work(said *call) queue.Work {
	idle := r.r.Header.Get(appliance.HeaderClient) == appliance.BenchmarkClient
	return queue.Work{New: func() int { return r.unread(said) }, Background: said.background && !idle, Editor: said.editor, Idle: idle}
}

// exchange waits for the request's turn and answers it, and waits again where its turn is taken back. It
// reports whether there was an answer to its end.
func (r *request) exchange(said *call, ticket *queue.Ticket) bool {
	ctx, cancel := context.WithCancelCause(r.r.Context())
	defer cancel(nil)
	out := &reply{request: r, call: said, leave: func() { cancel(nil) }, alive: time.NewTimer(r.grace)}
	defer out.alive.Stop()
	failed := out.wait(ctx, ticket)
	for failed == nil && ctx.Err() == nil {
		if failed = out.relay(ctx, cancel, ticket); failed != errRevoked {
			break
		}
		ticket.Back()
		failed = out.wait(ctx, ticket)
	}
	if failed == nil || out.cost.untilFirst > 0 {
		out.account()
	}
	switch {
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errSilent):
		r.status = statusGone
		return false
	case failed == errSuperseded, failed == errCrowds:
		out.nothing(failed)
		return false
	case failed != nil:
		if failed.Status == http.StatusServiceUnavailable && failed != errRestarting && !r.isOwn() {
			r.EngineStarted() // again, or its backend
		}
		out.fail(failed)
	}
	return failed == nil
}

// silent is the error of an engine that says nothing any more.
func (r *request) silent() *failure.Error {
	return &failure.Error{
		Status: http.StatusGatewayTimeout, Type: failure.Server, Code: "timeout", Cause: errSilent,
		Message: "The model did not answer in time. Send a shorter prompt, or have the operator raise " + appliance.VarReadTimeout + ".",
	}
}

// said is what comes from the engine next: that it has read the prompt, then one event after the other.
type said struct {
	read  bool
	event engine.Event
	err   error
}
