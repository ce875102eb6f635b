package queue_test

import (
	"slices"
	"sync"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/queue"
)

// orders are what is compared: the names, and what makes a queue.
var orders = []struct {
	name string
	make func(simulated *queue.Queue) enter
}{
	{"first come, first served", func(*queue.Queue) enter { return newRounds(true).enter }},
	{"turns by client", func(*queue.Queue) enter { return newRounds(false).enter }},
	{"turns by cost", func(simulated *queue.Queue) enter {
		return func(client string, work queue.Work) place {
			ticket, err := simulated.Enter(client, work)
			if err != nil {
				panic(err) // it has more places than there are people
			}
			return ticket
		}
	}},
}

// place is what a request has in a queue, as a Ticket.
type place interface {
	Ready() <-chan struct{}
	Revoked() <-chan struct{}
	Begun()
	Back()
	Leave(answered bool)
}

type enter func(client string, work queue.Work) place

// rounds serves the client that has waited longest since it was last served, or if all are one, who
// came first, whatever a request asks.
type rounds struct {
	oneClient bool

	mutex   sync.Mutex
	busy    bool
	waiting []*turn
	number  int
	last    map[string]int
}

type turn struct {
	*rounds
	client string
	ready  chan struct{}
}

func newRounds(oneClient bool) *rounds { return &rounds{oneClient: oneClient, last: map[string]int{}} }

func (r *rounds) enter(client string, _ queue.Work) place {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.oneClient {
		client = ""
	}
	if _, known := r.last[client]; !known {
		r.last[client] = r.number - 1
	}
	t := &turn{r, client, make(chan struct{})}
	r.waiting = append(r.waiting, t)
	r.admit()
	return t
}

func (r *rounds) admit() {
	if r.busy || len(r.waiting) == 0 {
		return
	}
	next := 0
	for i, t := range r.waiting {
		if r.last[t.client] < r.last[r.waiting[next].client] {
			next = i
		}
	}
	t := r.waiting[next]
	r.waiting = slices.Delete(r.waiting, next, next+1)
	r.busy = true
	r.number += 2
	r.last[t.client] = r.number
	close(t.ready)
}

func (t *turn) Ready() <-chan struct{}   { return t.ready }
func (t *turn) Revoked() <-chan struct{} { return nil }
func (t *turn) Begun()                   {}
func (t *turn) Back()                    { panic("it is never revoked") }

func (t *turn) Leave(bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.busy = false
	t.admit()
}
