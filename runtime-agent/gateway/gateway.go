// Package gateway answers the clients of the appliance with what the engine says: it keeps them
// waiting while the engine reads a prompt, gives each its turn, and speaks the APIs that coding
// agents speak.
package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/engine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/queue"
)

// The limits of the queue: a few agents with their sub-agents.
const (
	maxWaiting      = 32
	maxWaitingOfOne = 8
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
	// stopping is closed when requests should make room: those that have not begun are refused.
	stopping context.Context
	stop     context.CancelCauseFunc
	grace    time.Duration
	interval time.Duration
}

// state is what a new configuration replaces. Requests keep the one they began with.
type state struct {
	*Config
	engine *engine.Engine
}

// New returns a gateway. key is the engine's.
func New(config *Config, key string, log *slog.Logger) *Gateway {
	g := &Gateway{log: log, queue: queue.New(limits(config), time.Now), budget: newBudget(), grace: grace, interval: interval}
	g.numbers = newNumbers(g.queue)
	g.stopping, g.stop = context.WithCancelCause(context.Background())
	g.Configure(config, key)
	return g
}

// Configure has new requests follow a configuration.
func (g *Gateway) Configure(config *Config, key string) {
	old := g.current.Swap(&state{Config: config, engine: engine.New(config.Engine, key, config.ContextSize)})
	if old != nil {
		old.engine.Close()
	}
	g.queue.SetLimits(limits(config))
}

func limits(c *Config) queue.Limits {
	return queue.Limits{Slots: c.Slots, Waiting: maxWaiting, WaitingOfOne: maxWaitingOfOne}
}

// Stop refuses the requests that wait, and those that come: they should be sent again in a moment.
func (g *Gateway) Stop() { g.stop(errRestarting) }

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	name, parameter := route(r.URL.Path)
	one := &request{Gateway: g, state: g.current.Load(), w: w, r: r, name: name, log: g.log.With("route", name, "id", r.Header.Get("X-Request-Id"))}
	defer one.count()
	one.serve(parameter)
}
