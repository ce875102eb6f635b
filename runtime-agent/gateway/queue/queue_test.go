package queue

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var one = Limits{Slots: 1, Waiting: 32, WaitingOfOne: 8}

func enter(t *testing.T, q *Queue, client string) *Ticket {
	t.Helper()
	ticket, err := q.Enter(client)
	require.NoError(t, err)
	return ticket
}

func runs(t *Ticket) bool {
	select {
	case <-t.Ready():
		return true
	default:
		return false
	}
}

// order lets every request run to its end, one after the other.
func order(tickets map[string]*Ticket) []string {
	var names []string
	for len(tickets) > 0 {
		for name, ticket := range tickets {
			if runs(ticket) {
				names = append(names, name)
				delete(tickets, name)
				ticket.Leave(true)
			}
		}
	}
	return names
}

func TestEachClientGetsItsTurn(t *testing.T) {
	for name, tt := range map[string]struct {
		clients string // one letter for each request, in the order in which they come
		want    []string
	}{
		"one client":                    {"aaa", []string{"a0", "a1", "a2"}},
		"another one's short question":  {"aaaab", []string{"a0", "b4", "a1", "a2", "a3"}},
		"two with many":                 {"aaabbb", []string{"a0", "b3", "a1", "b4", "a2", "b5"}},
		"first come, first served":      {"abcd", []string{"a0", "b1", "c2", "d3"}},
		"a third one after both waited": {"aabbc", []string{"a0", "b2", "c4", "a1", "b3"}},
	} {
		t.Run(name, func(t *testing.T) {
			q := New(one, time.Now)
			tickets := map[string]*Ticket{}
			for i, client := range tt.clients {
				tickets[fmt.Sprintf("%c%d", client, i)] = enter(t, q, string(client))
			}
			for i, name := range tt.want {
				assert.Equal(t, i, tickets[name].Place(), name)
			}
			assert.Equal(t, tt.want, order(tickets))
			assert.Equal(t, Load{}, q.Load())
		})
	}
}

// Clients that come later do not pass one that waits.
func TestNewClientsDoNotPassThoseWhoWait(t *testing.T) {
	q := New(one, time.Now)
	running := enter(t, q, "a")
	waiting := enter(t, q, "a")
	for i := range 20 {
		next := enter(t, q, fmt.Sprint("new ", i))
		running.Leave(true)
		running = next
		if runs(waiting) {
			assert.Equal(t, 1, i, "one that was there before it, and then it")
			return
		}
	}
	assert.Fail(t, "it still waits")
}

// Who goes away says nothing about how long an answer takes.
func TestOnlyAnswersCount(t *testing.T) {
	q := New(one, time.Now)
	for range 20 {
		enter(t, q, "a").Leave(false)
	}
	enter(t, q, "a")
	assert.InDelta(t, usual.Seconds(), q.Wait("b").Seconds(), 1)
}

func TestSlots(t *testing.T) {
	q := New(Limits{Slots: 2, Waiting: 1, WaitingOfOne: 1}, time.Now)
	first, second, third := enter(t, q, "a"), enter(t, q, "a"), enter(t, q, "a")
	assert.True(t, runs(first))
	assert.True(t, runs(second))
	assert.False(t, runs(third))
	assert.Equal(t, Load{Waiting: 1, Running: 2}, q.Load())
	_, err := q.Enter("b")
	require.ErrorIs(t, err, ErrFull)
	q.SetLimits(Limits{Slots: 3, Waiting: 1, WaitingOfOne: 1})
	assert.True(t, runs(third))
}

func TestOneClientCannotFillTheQueue(t *testing.T) {
	q := New(Limits{Slots: 1, Waiting: 4, WaitingOfOne: 2}, time.Now)
	for range 3 {
		enter(t, q, "a")
	}
	_, err := q.Enter("a")
	require.ErrorIs(t, err, ErrFull)
	enter(t, q, "b")
	enter(t, q, "c")
	_, err = q.Enter("d")
	require.ErrorIs(t, err, ErrFull)
}

func TestWhoLeavesGivesThePlaceBack(t *testing.T) {
	q := New(one, time.Now)
	running, waiting, last := enter(t, q, "a"), enter(t, q, "b"), enter(t, q, "c")
	waiting.Leave(true)
	waiting.Leave(true)
	assert.Equal(t, 1, last.Place())
	assert.False(t, runs(waiting))
	running.Leave(true)
	running.Leave(true)
	assert.True(t, runs(last))
	assert.Equal(t, Load{Running: 1}, q.Load())
}

// Retry-After is what answers took lately, less what the running one has taken.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Slots: 1, Waiting: 2, WaitingOfOne: 1}, time.Now)
		assert.Zero(t, q.Wait("a"), "nothing runs")
		for range 40 {
			ticket := enter(t, q, "a")
			time.Sleep(80 * time.Second)
			ticket.Leave(true)
		}
		enter(t, q, "a")
		assert.InDelta(t, 80, q.Wait("b").Seconds(), 1)
		time.Sleep(60 * time.Second)
		assert.InDelta(t, 20, q.Wait("b").Seconds(), 1)
		time.Sleep(140 * time.Second)
		assert.InDelta(t, 50, q.Wait("b").Seconds(), 1, "longer than usual")
		enter(t, q, "b")
		enter(t, q, "a")
		assert.InDelta(t, 50, q.Wait("c").Seconds(), 1)
		assert.InDelta(t, 50+80, q.Wait("a").Seconds(), 1, "b comes before its own")
	})
}

// Whatever comes and goes: no more run than there are slots, none waits beside a free one, and
// nobody who waits is passed by the same client twice.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{0, 1, 2, 0, 200, 3, 129, 0})
	f.Fuzz(func(t *testing.T, steps []byte) {
		limits := Limits{Slots: 2, Waiting: 6, WaitingOfOne: 3}
		q := New(limits, time.Now)
		var inside []*Ticket
		for _, step := range steps {
			if step < 128 {
				client := string('a' + rune(step%4))
				if ticket, err := q.Enter(client); err == nil {
					inside = append(inside, ticket)
				}
			} else if len(inside) > 0 {
				i := int(step) % len(inside)
				inside[i].Leave(true)
				inside = slices.Delete(inside, i, i+1)
			}
			running := 0
			for _, ticket := range inside {
				if runs(ticket) {
					running++
				}
			}
			load := q.Load()
			require.Equal(t, Load{Waiting: len(inside) - running, Running: running}, load)
			require.LessOrEqual(t, running, limits.Slots)
			require.False(t, load.Waiting > 0 && running < limits.Slots, "a slot is free")
		}
	})
}
