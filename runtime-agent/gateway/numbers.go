package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/engine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/queue"
)

// numbers count what the gateway does, in the text format of Prometheus. Routes, keys and statuses are closed
// lists: no label has what a client sends, so there is a bound to how many numbers there are.
type numbers struct {
	// together lets a request change several numbers while others do, and nobody read them in between: what is
	// read adds up.
	together sync.RWMutex
	families []*family
	inHand   atomic.Int64
	engineUp atomic.Bool

	received, ended                       *family
	firstToken, queued, speed             *family
	promptTokens, answerTokens, engineFor *family
	programTokens, parted, again          *family
}

// StatusGone is the status, in the numbers, of a request whose client went away.
const StatusGone = statusGone

// The upper ends of buckets: a CPU takes from a second to half an hour until the first token, and writes from one
// token a second to a hundred.
var (
	seconds         = []float64{0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600}
	tokensPerSecond = []float64{0.5, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100, 200}
)

func newNumbers(q *queue.Queue, start time.Time) *numbers {
	n := &numbers{}
	n.received = n.counter(appliance.MetricReceived, "Requests that came in, by route and key.")
	n.ended = n.counter(appliance.MetricRequests, "Requests that ended, by route, key and status: 499 if the client went away first.")
	n.gauge(appliance.MetricInHand, "Requests that came in and have not ended.", func() float64 { return float64(n.inHand.Load()) })
	n.gauge(appliance.MetricWaiting, "Requests that wait for the engine.", func() float64 { return float64(q.Load().Waiting) })
	n.gauge(appliance.MetricRunning, "Requests that the engine works on.", func() float64 { return float64(q.Load().Running) })
	n.firstToken = n.histogram("slm_copilot_gateway_first_token_seconds", "Time from the arrival of a request to the first token of its answer, by route.")
	n.queued = n.histogram("slm_copilot_gateway_queue_seconds", "Time that a request waited for its turn.")
	n.speed = n.histogram("slm_copilot_gateway_answer_tokens_per_second", "Speed at which an answer was written, from its first token to its last.")
	n.promptTokens = n.counter(appliance.MetricPromptTokens, "Tokens of prompts, by key and state: repeated if the engine had them already, new if it had to read them.")
	n.answerTokens = n.counter(appliance.MetricAnswerTokens, "Tokens of answers, by key; of an answer that was cut, as many as came.")
	n.engineFor = n.counter(appliance.MetricEngineSeconds, "Time that the engine worked for requests, from their turn to their end, by key.")
	n.programTokens = n.counter(appliance.MetricProgramTokens, "Tokens of prompts, by the program that asked and state, as above.")
	n.parted = n.counter(appliance.MetricParted, "Prompts that did not begin with the one before in their conversation, by program and the field where they parted.")
	n.again = n.counter(appliance.MetricAgain, "Tokens that the engine read again because of that, by program and field.")
	n.gauge("slm_copilot_gateway_engine_up", "1 if the engine answered when it was asked last, else 0.", func() float64 {
		if n.engineUp.Load() {
			return 1
		}
		return 0
	})
	n.gauge(appliance.MetricStart, "When the gateway started and these numbers began, in Unix time.", func() float64 { return float64(start.Unix()) })
	return n
}

// arrive counts a request that comes in.
func (n *numbers) arrive(r *request) {
	n.together.RLock()
	defer n.together.RUnlock()
	n.inHand.Add(1)
	n.received.count(1, "route", r.name, "key", r.key)
}

// leave counts a request that ended, and what it cost.
func (n *numbers) leave(r *request) {
	n.together.RLock()
	defer n.together.RUnlock()
	n.inHand.Add(-1)
	n.ended.count(1, "route", r.name, "key", r.key, "status", strconv.Itoa(r.status))
	r.cost.addTo(n, r.name, r.key)
}

// engineAnswers remembers whether the engine is there, by an answer or the error in its place. One that it cannot
// be blamed for tells nothing.
func (n *numbers) engineAnswers(err error) {
	switch {
	case err == nil, engine.As(err).Status < http.StatusInternalServerError:
		n.engineUp.Store(true)
	case engine.As(err).Status == http.StatusServiceUnavailable:
		n.engineUp.Store(false)
	}
}

// write writes the numbers of one moment.
func (n *numbers) write(w io.Writer) {
	var text bytes.Buffer
	n.together.Lock()
	for _, f := range n.families {
		f.write(&text)
	}
	n.together.Unlock()
	_, _ = w.Write(text.Bytes()) // the client is gone
}

// family is a number with the values of its labels.
type family struct {
	name, kind, help string
	set              *metrics.Set
}

func (n *numbers) family(name, kind, help string) *family {
	f := &family{name, kind, help, metrics.NewSet()}
	n.families = append(n.families, f)
	return f
}

func (n *numbers) counter(name, help string) *family { return n.family(name, "counter", help) }

func (n *numbers) histogram(name, help string) *family { return n.family(name, "histogram", help) }

func (n *numbers) gauge(name, help string, value func() float64) {
	n.family(name, "gauge", help).set.NewGauge(name, value)
}

// series is the name with labels, which are pairs of a name and a value.
func (f *family) series(labels []string) string {
	var pairs []string
	for i := 0; i < len(labels); i += 2 {
		pairs = append(pairs, fmt.Sprintf("%s=%q", labels[i], labels[i+1]))
	}
	if len(pairs) == 0 {
		return f.name
	}
	return f.name + "{" + strings.Join(pairs, ",") + "}"
}

func (f *family) count(by int, labels ...string) {
	f.set.GetOrCreateCounter(f.series(labels)).Add(by)
}

func (f *family) countTime(by time.Duration, labels ...string) {
	f.set.GetOrCreateFloatCounter(f.series(labels)).Add(by.Seconds())
}

func (f *family) observe(buckets []float64, value float64, labels ...string) {
	f.set.GetOrCreatePrometheusHistogramExt(f.series(labels), buckets).Update(value)
}

// write writes the family as Prometheus's exposition format 0.0.4 has it. The library writes no text of help.
func (f *family) write(w io.Writer) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", f.name, f.help, f.name, f.kind)
	f.set.WritePrometheus(w)
}
