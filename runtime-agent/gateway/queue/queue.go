// Package queue shares an engine that computes few answers at a time among clients: each gets its
// turn, whatever the others ask.
package queue

import (
	"errors"
	"sync"
	"time"
)

// Limits bound what a queue holds.
type Limits struct {
	// Slots is how many requests run at a time.
	Slots int
	// Waiting is how many wait at most, WaitingOfOne how many of one client.
	Waiting, WaitingOfOne int
}

// ErrFull is the error for a request that finds no place.
var ErrFull = errors.New("the queue is full")

// usual is how long an answer takes before any has been seen: some hundred tokens on a CPU.
const usual = 30 * time.Second

// Queue admits requests: the client that has waited longest since it was last served comes first,
// and of its requests the one that came first.
type Queue struct {
	now func() time.Time

	mutex   sync.Mutex
	limits  Limits
	waiting []*Ticket // in the order in which they came
	running []*Ticket
	// turn grows by two with each admission, and last holds the latest one of each client since
	// the queue was empty. A client that is new stands right before the one that was served last.
	turn int
	last map[string]int
	// average is how long recent answers took.
	average time.Duration
}

// Ticket is the place of one request.
type Ticket struct {
	queue  *Queue
	client string
	ready  chan struct{}
	start  time.Time
}

// New returns an empty queue. now is the clock.
func New(limits Limits, now func() time.Time) *Queue {
	return &Queue{now: now, limits: limits, last: map[string]int{}, average: usual}
}

// SetLimits changes the limits. Requests that have a place keep it.
func (q *Queue) SetLimits(limits Limits) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.limits = limits
	q.admit()
}

// Enter gives a request of a client its place; the error is ErrFull. Whoever has a ticket must
// Leave.
func (q *Queue) Enter(client string) (*Ticket, error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	free := len(q.running) < q.limits.Slots
	if !free && (len(q.waiting) >= q.limits.Waiting || q.waitingOf(client) >= q.limits.WaitingOfOne) {
		return nil, ErrFull
	}
	if _, known := q.last[client]; !known {
		q.last[client] = q.turn - 1
	}
	t := &Ticket{queue: q, client: client, ready: make(chan struct{})}
	q.waiting = append(q.waiting, t)
	q.admit()
	return t, nil
}

// Ready is closed when the request may run.
func (t *Ticket) Ready() <-chan struct{} { return t.ready }

// Place is 1 for the request that runs next, 0 for one that runs or has left.
func (t *Ticket) Place() int {
	q := t.queue
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for i, other := range q.inTurn() {
		if other == t {
			return i + 1
		}
	}
	return 0
}

// Leave gives the place back, whether the request waits or runs. Further calls do nothing. answered
// is true for one that was answered to its end: how long that took is what others may expect.
func (t *Ticket) Leave(answered bool) {
	q := t.queue
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.waiting = without(q.waiting, t)
	if before := len(q.running); before > 0 {
		if q.running = without(q.running, t); len(q.running) < before && answered {
			q.average = (3*q.average + q.now().Sub(t.start)) / 4
		}
	}
	q.admit()
	q.forget()
}

// Load is what a queue holds at one moment.
type Load struct{ Waiting, Running int }

// Load returns what the queue holds.
func (q *Queue) Load() Load {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return Load{Waiting: len(q.waiting), Running: len(q.running)}
}

// Wait estimates when a request of a client that found no place would find one: when the next
// place becomes free, or if the client has too many, the next one of its own.
func (q *Queue) Wait(client string) time.Duration {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	wait := q.untilFree()
	if q.waitingOf(client) < q.limits.WaitingOfOne {
		return wait
	}
	for i, t := range q.inTurn() {
		if t.client == client {
			return wait + time.Duration(i/max(q.limits.Slots, 1))*q.average
		}
	}
	return wait
}

// untilFree estimates when the first of the running requests ends. One that takes longer than
// usual is expected to take as long again as a quarter of what it took.
func (q *Queue) untilFree() time.Duration {
	var first time.Duration
	for i, t := range q.running {
		took := q.now().Sub(t.start)
		rest := max(q.average-took, took/4)
		if i == 0 || rest < first {
			first = rest
		}
	}
	return first
}

func (q *Queue) waitingOf(client string) int {
	n := 0
	for _, t := range q.waiting {
		if t.client == client {
			n++
		}
	}
	return n
}

// admit lets requests run while there is a slot.
func (q *Queue) admit() {
	for len(q.running) < q.limits.Slots && len(q.waiting) > 0 {
		t := q.inTurn()[0]
		q.waiting = without(q.waiting, t)
		q.running = append(q.running, t)
		q.turn += 2
		q.last[t.client] = q.turn
		t.start = q.now()
		close(t.ready)
	}
}

// inTurn returns the waiting requests in the order in which they will run if no other comes.
func (q *Queue) inTurn() []*Ticket {
	last := make(map[string]int, len(q.last))
	for client, turn := range q.last {
		last[client] = turn
	}
	rest := append([]*Ticket(nil), q.waiting...)
	order := make([]*Ticket, 0, len(rest))
	for turn := q.turn + 2; len(rest) > 0; turn += 2 {
		next := rest[0]
		for _, t := range rest[1:] {
			if last[t.client] < last[next.client] {
				next = t
			}
		}
		last[next.client] = turn
		order = append(order, next)
		rest = without(rest, next)
	}
	return order
}

// forget drops what is known of clients that have nothing in the queue.
func (q *Queue) forget() {
	if len(q.running) == 0 && len(q.waiting) == 0 {
		clear(q.last)
	}
}

func without(tickets []*Ticket, one *Ticket) []*Ticket {
	var kept []*Ticket
	for _, t := range tickets {
		if t != one {
			kept = append(kept, t)
		}
	}
	return kept
}
