// Package queue shares an engine that computes few answers at a time among clients: each gets its
// turn, what is soon answered need not wait for what takes minutes, and nobody waits for ever.
package queue

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"
)

// Limits bound what a queue holds.
type Limits struct {
	// Slots is how many requests run at a time.
	Slots int
	// Waiting is how many wait at most, WaitingOfOne how many of one client; as many again may wait in
	// the background.
	Waiting, WaitingOfOne int
}

// Work is what a request asks of the engine.
type Work struct {
	// New returns how many tokens of the prompt the engine has to read, as things are at the moment. What
	// it has read of it in turns that were taken back is not to be left out: the queue does that. It is
	// called often, with the queue's lock held.
	New func() int
	// Background is true for what nobody is watching: titles, memories, suggestions.
	Background bool
	// Editor is true for a completion in an editor. It goes before everything else, and waits until its client sends
	// the next one.
	Editor bool
	// Idle is true for what is worth doing only while nobody else asks: it waits for nobody but its own client, and ends
	// when somebody comes.
	Idle bool
}

// ErrFull is the error for a request that finds no place.
var ErrFull = errors.New("the queue is full")

const (
	// pause is how long the engine must have been free before it begins with background work. The
	// next turn of the conversation that was just answered comes within it: tools take 1 to 5 s.
	pause = 5 * time.Second

	// nearlyRead is the rest of its reading for which a prompt keeps its turn, whoever comes: the engine
	// stops at the end of a batch of 512 tokens, which takes a large model about as long.
	nearlyRead = 20 * time.Second

	// stopping is that of a background request: nobody waits for it.
	stopping = 2 * time.Second

	// editorAnswer is how long the answer to a completion in an editor takes: it is mostly a line.
	editorAnswer = 5 * time.Second
)

// Queue admits requests in the order of line. One whose prompt is still read gives its turn back to
// one that is before it there. Whatever comes, a request waits for those that came before it, and for
// as many that came later as it has patience for.
type Queue struct {
	now func() time.Time

	mutex   sync.Mutex
	limits  Limits
	waiting []*Ticket // in the order in which they came
	running []*Ticket
	came    int // how many requests have come
	line
	pace pace
	// free is when the engine last became free, wake calls when it has been so for the pause.
	free time.Time
	wake *time.Timer
}

// Ticket is the place of one request.
type Ticket struct {
	queue  *Queue
	client string
	work   Work
	came   int // its number, in the order in which requests came
	// ready is closed when its turn comes, revoked when that is to be given back.
	ready, revoked chan struct{}
	// superseded is closed when it is worth nothing any more, nil if that cannot be.
	superseded      chan struct{}
	revoking, ended bool
	// passed is how many requests that came later went before it.
	passed int
	// backs is how many turns it gave back, read how many tokens were read in them.
	backs, read int

	// Of the present turn: when it began, what was to be read then and what its client was
	// charged for it, and when the answer began, zero before.
	start   time.Time
	toRead  int
	charged time.Duration
	begun   time.Time
}

// New returns an empty queue. now is the clock.
func New(limits Limits, now func() time.Time) *Queue {
	return &Queue{now: now, limits: limits, line: line{had: map[string]time.Duration{}}, pace: usualPace}
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
func (q *Queue) Enter(client string, work Work) (*Ticket, error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if work.Idle && q.others(client) {
		return nil, ErrFull
	}
	if !work.Idle {
		q.endIdle()
	}
	if work.Editor {
		q.supersede(client)
	}
	runs := len(q.running) < q.limits.Slots && !work.Background
	if !runs && q.full(client, work.Background) {
		return nil, ErrFull
	}
	if q.waitingOf(client) == 0 {
		q.had[client] = max(q.had[client], q.at)
	}
	q.came++
	t := &Ticket{queue: q, client: client, work: work, came: q.came, ready: make(chan struct{})}
	if work.Editor || work.Idle {
		t.superseded = make(chan struct{})
	}
	q.waiting = append(q.waiting, t)
	q.admit()
	return t, nil
}

// Ready is closed when the request may run. After Back it is another channel.
func (t *Ticket) Ready() <-chan struct{} { return t.ready }

// Superseded is closed when the client has sent a newer completion in an editor while this one waited, and for idle
// work when anybody asks.
func (t *Ticket) Superseded() <-chan struct{} { return t.superseded }

// supersede drops the completions of a client that wait.
func (q *Queue) supersede(client string) {
	for _, t := range q.waiting {
		if t.work.Editor && t.client == client {
			q.waiting = without(q.waiting, t)
			close(t.superseded)
		}
	}
}

// others reports whether there is anything but idle work of a client. The last part of an answer reaches it before
// its ticket is given back.
func (q *Queue) others(client string) bool {
	return slices.ContainsFunc(slices.Concat(q.running, q.waiting), func(t *Ticket) bool { return !t.work.Idle || t.client != client })
}

// endIdle has idle work end.
func (q *Queue) endIdle() {
	for _, t := range slices.Concat(q.running, q.waiting) {
		if t.work.Idle && !t.ended {
			q.waiting = without(q.waiting, t)
			t.ended = true
			close(t.superseded)
		}
	}
}

// Revoked is closed when the request should stop and give its turn Back, of one that runs and has
// not Begun.
func (t *Ticket) Revoked() <-chan struct{} { return t.revoked }

// Begun is for a request whose answer begins: it keeps its turn.
func (t *Ticket) Begun() {
	q := t.queue
	q.mutex.Lock()
	defer q.mutex.Unlock()
	t.revoking = false
	t.begun = q.now()
	q.pace.learnReading(t.toRead, t.begun.Sub(t.start))
}

// Back gives the turn back: the request waits again, where it waited before.
func (t *Ticket) Back() {
	q := t.queue
	q.mutex.Lock()
	defer q.mutex.Unlock()
	t.revoking = false
	t.backs++
	t.read += t.toRead - q.unread(t)
	t.ready = make(chan struct{})
	q.stop(t)
	q.waiting = append(q.waiting, t)
	slices.SortFunc(q.waiting, func(a, b *Ticket) int { return cmp.Compare(a.came, b.came) })
	q.admit()
}

// Place is 1 for the request that runs next, 0 for one that runs or has left.
func (t *Ticket) Place() int {
	q := t.queue
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for i, other := range q.inTurn() {
		if other.Ticket == t {
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
	if slices.Contains(q.running, t) {
		q.at = max(q.at, q.had[t.client])
		q.stop(t)
		if answered && !t.work.Editor && !t.work.Idle {
			// Of tool calls alone it is told at their end that the answer has begun.
			q.pace.learnAnswer(max(q.free.Sub(t.began()), q.free.Sub(t.start)-q.pace.reading(t.toRead)))
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
	for _, t := range q.inTurn() {
		if t.client == client {
			return wait
		}
		wait += t.cost / time.Duration(max(q.limits.Slots, 1))
	}
	return wait
}

// untilFree estimates when the first of the running requests ends.
func (q *Queue) untilFree() time.Duration {
	var first time.Duration
	for i, t := range q.running {
		if rest := q.rest(t); i == 0 || rest < first {
			first = rest
		}
	}
	return first
}

// rest estimates how long a running request takes still. One that takes longer than usual is
// expected to take as long again as a quarter of what it took.
func (q *Queue) rest(t *Ticket) time.Duration {
	if t.begun.IsZero() {
		return max(q.cost(t, q.unread(t)), q.now().Sub(t.start)/4)
	}
	took := q.now().Sub(t.begun)
	return max(q.answering(t)-took, took/4)
}

// cost returns how long the engine works for a request of whose prompt so many tokens are to be read.
func (q *Queue) cost(t *Ticket, tokens int) time.Duration {
	return q.pace.reading(tokens) + q.answering(t)
}

// answering returns how long its answer takes.
func (q *Queue) answering(t *Ticket) time.Duration {
	if t.work.Editor {
		return editorAnswer
	}
	return q.pace.answer
}

// unread estimates how many tokens the engine has still to read of a request that runs.
func (q *Queue) unread(t *Ticket) int {
	if !t.begun.IsZero() {
		return 0
	}
	return max(0, t.toRead-q.pace.tokens(q.now().Sub(t.start)))
}

// full reports whether there is no place for one more request. Background requests have places of
// their own: they may wait for long, and what a client waits for is not kept out by them.
func (q *Queue) full(client string, background bool) bool {
	all, own := 0, 0
	for _, t := range q.waiting {
		if t.work.Background == background {
			all++
			if t.client == client {
				own++
			}
		}
	}
	return all >= q.limits.Waiting || own >= q.limits.WaitingOfOne
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
		one, others := next(q.candidates())
		if wait := pause - q.now().Sub(q.free); one.background() && wait > 0 {
			q.wakeIn(wait)
			return
		}
		for _, c := range others {
			c.Ticket.passed = c.passed
		}
		q.start(one)
	}
	q.takeBack()
}

func (q *Queue) start(one candidate) {
	t := one.Ticket
	q.waiting = without(q.waiting, t)
	q.running = append(q.running, t)
	t.start, t.begun, t.toRead, t.charged = q.now(), time.Time{}, t.unread(), one.cost
	q.had[t.client] += t.charged
	t.revoked = make(chan struct{})
	close(t.ready)
}

// stop ends a turn: the client has had as much of the engine as that took.
func (q *Queue) stop(t *Ticket) {
	q.running = without(q.running, t)
	q.free = q.now()
	q.had[t.client] += q.free.Sub(t.start) - t.charged
}

// wakeIn admits once more after a time.
func (q *Queue) wakeIn(wait time.Duration) {
	if q.wake != nil {
		q.wake.Stop()
	}
	q.wake = time.AfterFunc(wait, func() {
		q.mutex.Lock()
		defer q.mutex.Unlock()
		q.admit()
	})
}

// takeBack asks for the turn of a request that one that waits should have. One at a time: what then
// waits may run.
func (q *Queue) takeBack() {
	if slices.ContainsFunc(q.running, func(t *Ticket) bool { return t.revoking }) {
		return
	}
	for _, t := range q.running {
		if q.shouldWait(t) {
			t.revoking = true
			close(t.revoked)
			return
		}
	}
}

// shouldWait reports whether a request that runs should let the next one go first: that has its turn
// before it, with what is left of it, and is done sooner.
func (q *Queue) shouldWait(t *Ticket) bool {
	unread, least := q.unread(t), nearlyRead
	if t.work.Background {
		least = stopping
	}
	if len(q.waiting) == 0 || t.work.Editor || t.work.Idle || q.pace.reading(unread) < least || t.backs >= t.patience() {
		return false
	}
	one := candidate{Ticket: t, cost: q.cost(t, unread), end: q.had[t.client], passed: t.passed}
	other, _ := next(q.candidates())
	if one.overdue() || other.overdue() || !other.before(one) {
		return false
	}
	return one.background() != other.background() || other.cost < one.cost
}

// candidates are the requests that wait, with what they cost at the moment.
func (q *Queue) candidates() []candidate {
	all := make([]candidate, len(q.waiting))
	for i, t := range q.waiting {
		cost := q.cost(t, t.unread())
		all[i] = candidate{Ticket: t, cost: cost, end: q.had[t.client] + cost, passed: t.passed}
	}
	return all
}

// began is when its answer began, or its turn if it said nothing of that.
func (t *Ticket) began() time.Time {
	if t.begun.IsZero() {
		return t.start
	}
	return t.begun
}

// unread is how much of a request that waits is to be read.
func (t *Ticket) unread() int { return max(0, t.work.New()-t.read) }

// inTurn returns the waiting requests in the order in which they will run if no other comes.
func (q *Queue) inTurn() []candidate {
	rest := q.candidates()
	order := make([]candidate, 0, len(rest))
	for len(rest) > 0 {
		var one candidate
		one, rest = next(rest)
		order = append(order, one)
		for i := range rest {
			if rest[i].client == one.client {
				rest[i].end += one.cost
			}
		}
	}
	return order
}

// forget drops what is known of clients that have nothing in the queue.
func (q *Queue) forget() {
	if len(q.running) == 0 && len(q.waiting) == 0 {
		clear(q.had)
		q.at = 0
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
