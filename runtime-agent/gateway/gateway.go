// Package gateway answers the clients of the appliance with what the engine says: it keeps them
// waiting while the engine reads a prompt, gives each its turn, and speaks the APIs that coding
// agents speak.
package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/beginning"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/engine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/prompt"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/queue"
)

// The limits of the queue: a few agents with their sub-agents.
const (
	maxWaiting      = 32
	maxWaitingOfOne = 8
)

const (
	// largeBody is the size in bytes from which on requests are read one after the other: half a
	// megabyte is more than the largest context holds.
	largeBody = 1 << 20
	// maxHeld is how many bytes of requests wait or are answered at most.
	maxHeld = 64 << 20
	// writeTimeout is for a client that does not read: it must not keep the engine for ever.
	writeTimeout = time.Minute
)

// Signs of life. Refusals that come within the grace period keep their status.
const (
	grace    = 2 * time.Second
	interval = 10 * time.Second
)

// Gateway is the handler of all requests.
type Gateway struct {
	log     *slog.Logger
	current atomic.Pointer[state]
	queue   *queue.Queue
	budget  *budget
	numbers *numbers
	// cache is what the engine has read, conversations what its users have said.
	cache         *prompt.Cache
	conversations *prompt.Conversations
	// learned has keepStored store what prompts begin with, cold has it warm up the engine.
	learned, cold chan struct{}
	// storing is held while the file with that is written, or removed.
	storing sync.Mutex
	// large is held by whoever reads a large request, held counts the bytes of all that are in hand.
	large chan struct{}
	held  atomic.Int64
	// stopping is over when requests should make room: those that wait are refused. ending is over
	// when answers that run should, too.
	stopping, ending context.Context
	stop, end        context.CancelFunc
	// What tests cannot wait for.
	grace, interval, drainTime time.Duration
}

// state is what a new configuration replaces. Requests keep the one they began with.
type state struct {
	*Config
	engine *engine.Engine
	// kinds are the kinds of prompts that are known, nil if nobody wants to know.
	kinds *beginning.Kinds
}

// New returns a gateway. key is the engine's.
func New(config *Config, key string, log *slog.Logger) *Gateway {
	g := &Gateway{log: log, queue: queue.New(limits(config), time.Now), budget: newBudget(), grace: grace, interval: interval, drainTime: drainTime}
	g.numbers = newNumbers(g.queue, time.Now())
	g.cache, g.conversations = prompt.NewCache(config.CacheTokens), prompt.NewConversations(maxPrompts)
	g.large, g.learned, g.cold = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	g.stopping, g.stop = context.WithCancel(context.Background())
	g.ending, g.end = context.WithCancel(context.Background())
	g.Configure(config, key)
	return g
}

// Configure has new requests follow a configuration.
func (g *Gateway) Configure(config *Config, key string) {
	g.storing.Lock()
	defer g.storing.Unlock()
	old := g.current.Load()
	g.current.Store(&state{Config: config, engine: engine.New(config.Engine, key, config.ContextSize), kinds: g.kindsOf(config, old)})
	if old != nil {
		old.engine.Close()
	}
	g.queue.SetLimits(limits(config))
	g.cache.Resize(config.CacheTokens)
	if old == nil || old.kinds != g.current.Load().kinds {
		wake(g.cold)
	}
}

// EngineStarted is for an engine that was not there before: it has read nothing yet.
func (g *Gateway) EngineStarted() {
	g.cache.Forget()
	wake(g.cold)
}

func limits(c *Config) queue.Limits {
	return queue.Limits{Slots: c.Slots, Waiting: maxWaiting, WaitingOfOne: maxWaitingOfOne}
}

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	name, parameter := route(r.URL.Path)
	present := g.current.Load()
	// The health route is open to all; what runs here is for those who may use it.
	if name != appliance.PathReadyz {
		w.Header().Set(appliance.HeaderAppliance, present.Appliance)
	}
	one := &request{
		Gateway: g, state: present, w: w, r: r, name: name, key: present.keyOf(r), log: g.log.With("route", name, "id", r.Header.Get("X-Request-Id")),
		status: http.StatusInternalServerError, cost: cost{arrived: time.Now()},
	}
	g.numbers.arrive(one)
	defer g.numbers.leave(one)
	one.serve(parameter) //nolint:contextcheck // the context is that of the request
}
