package queue

import (
	"slices"
	"time"
)

// How many requests that came later may go before one, and how often one gives its turn back. Next turns
// of 16 take about as long as the longest first prompt; docs/rationale.md has what more or less comes to.
// Background work is mostly done while people read and think.
const (
	usualPatience      = 16
	backgroundPatience = 4 * usualPatience
)

// patience is that of a request.
func (t *Ticket) patience() int {
	if t.work.Background {
		return backgroundPatience
	}
	return usualPatience
}

// line decides whose turn it is: self-clocked fair queueing (Golestani 1994) over clients, in time of
// the engine. A client that comes begins where the line is; next is the request that ends first, if each
// began where its client is. So clients that always ask share the engine evenly, and what is soon done
// goes before what takes minutes.
type line struct {
	// at is where the line is: the most that a client was to have with a request that has ended.
	at time.Duration
	// had is what each client has had since the queue was empty, or where it came.
	had map[string]time.Duration
}

// candidate is a request that may be next.
type candidate struct {
	*Ticket
	// cost is how long the engine works for it, end what its client will have had then.
	cost, end time.Duration
	// passed is that of the ticket, in the order that is tried.
	passed int
}

// background is false for what has been passed often enough.
func (c candidate) background() bool { return c.work.Background && !c.overdue() }

func (c candidate) overdue() bool { return c.passed >= c.patience() }

// before reports whether a request is served before another.
func (c candidate) before(other candidate) bool {
	switch {
	case c.overdue() != other.overdue():
		return c.overdue()
	case c.overdue():
		return c.came < other.came
	case c.work.Editor != other.work.Editor:
		return c.work.Editor
	case c.background() != other.background():
		return other.background()
	case c.end != other.end:
		return c.end < other.end
	}
	return c.came < other.came
}

// next returns the one that is next and the others, which know whether it passed them.
func next(waiting []candidate) (candidate, []candidate) {
	first := 0
	for i := range waiting {
		if waiting[i].before(waiting[first]) {
			first = i
		}
	}
	one := waiting[first]
	others := slices.Delete(waiting, first, first+1)
	for i := range others {
		if others[i].came < one.came {
			others[i].passed++
		}
	}
	return one, others
}
