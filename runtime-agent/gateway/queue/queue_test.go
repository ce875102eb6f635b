package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var one = Limits{Slots: 1, Waiting: 32, WaitingOfOne: 8}

// tokens is a request that people wait for.
func tokens(n int) Work { return Work{New: func() int { return n }} }

// aside is one that nobody is watching.
func aside(n int) Work { return Work{New: func() int { return n }, Background: true} }

func enter(t testing.TB, q *Queue, client string, work Work) *Ticket {
	t.Helper()
	ticket, err := q.Enter(client, work)
	require.NoError(t, err)
	return ticket
}

func runs(t *Ticket) bool { return closed(t.Ready()) }

func closed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}

// answer lets a request that runs be read and answered.
func answer(t *Ticket, reading, answering time.Duration) {
	time.Sleep(reading)
	t.Begun()
	time.Sleep(answering)
	t.Leave(true)
}

// order lets every request run to its end, one after the other, and each answer take as long as usual.
func order(tickets map[string]*Ticket) []string {
	var names []string
	for len(tickets) > 0 {
		ran := len(names)
		for name, ticket := range tickets {
			if runs(ticket) {
				names = append(names, name)
				delete(tickets, name)
				answer(ticket, usualPace.reading(ticket.toRead), usualPace.answer)
			}
		}
		if len(names) == ran {
			time.Sleep(pause)
		}
	}
	return names
}

func TestWhoseTurnItIs(t *testing.T) {
	equal := tokens(50)
	for name, tt := range map[string]struct {
		clients string // one letter for each request, in the order in which they come
		work    []Work // of each, the last one of all others
		want    []string
	}{
		"one client":                    {"aaa", []Work{equal}, []string{"a0", "a1", "a2"}},
		"another one's short question":  {"aaaab", []Work{equal}, []string{"a0", "b4", "a1", "a2", "a3"}},
		"another one's longer question": {"aaaab", []Work{equal, equal, equal, equal, tokens(1000)}, []string{"a0", "a1", "b4", "a2", "a3"}},
		"two with many":                 {"aaabbb", []Work{equal}, []string{"a0", "b3", "a1", "b4", "a2", "b5"}},
		"first come, first served":      {"abcd", []Work{equal}, []string{"a0", "b1", "c2", "d3"}},
		"a third one after both waited": {"aabbc", []Work{equal}, []string{"a0", "b2", "c4", "a1", "b3"}},
		"the shorter ones first":        {"abcd", []Work{equal, tokens(9000), tokens(300), tokens(100)}, []string{"a0", "d3", "c2", "b1"}},
		"of one client, too":            {"aaaa", []Work{equal, tokens(9000), tokens(300), tokens(300)}, []string{"a0", "a2", "a3", "a1"}},
		"background last":               {"aaba", []Work{equal, aside(10), equal}, []string{"a0", "b2", "a3", "a1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := New(one, time.Now)
				tickets := map[string]*Ticket{}
				for i, client := range tt.clients {
					tickets[fmt.Sprintf("%c%d", client, i)] = enter(t, q, string(client), tt.work[min(i, len(tt.work)-1)])
				}
				for i, name := range tt.want {
					assert.Equal(t, i, tickets[name].Place(), name)
				}
				assert.Equal(t, tt.want, order(tickets))
				assert.Equal(t, Load{}, q.Load())
			})
		})
	}
}

// A client whose answers are long has its turn less often.
func TestClientsShareTheTimeOfTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(one, time.Now)
		worked := map[string]time.Duration{}
		long, short := enter(t, q, "long", tokens(10)), enter(t, q, "short", tokens(10))
		for range 200 {
			switch {
			case runs(long):
				next := enter(t, q, "long", tokens(10))
				answer(long, time.Second, 2*time.Minute)
				worked["long"] += 2 * time.Minute
				long = next
			case runs(short):
				next := enter(t, q, "short", tokens(10))
				answer(short, time.Second, 20*time.Second)
				worked["short"] += 20 * time.Second
				short = next
			}
		}
		assert.InDelta(t, worked["long"].Minutes(), worked["short"].Minutes(), 5)
		assert.Greater(t, worked["short"], 30*time.Minute)
	})
}

// Clients that come later do not pass one that waits.
func TestNewClientsDoNotPassThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(one, time.Now)
		running := enter(t, q, "a", tokens(10))
		waiting := enter(t, q, "a", tokens(10))
		for i := range 20 {
			next := enter(t, q, fmt.Sprint("new ", i), tokens(10))
			answer(running, 400*time.Millisecond, usualPace.answer)
			running = next
			if runs(waiting) {
				assert.Equal(t, 1, i, "one that was there before it, and then it")
				return
			}
		}
		assert.Fail(t, "it still waits")
	})
}

// What a request costs may change while it waits.
func TestTheCostIsThatOfTheMoment(t *testing.T) {
	q := New(one, time.Now)
	running := enter(t, q, "a", tokens(10))
	left := 9000
	first := enter(t, q, "b", Work{New: func() int { return left }})
	second := enter(t, q, "c", tokens(500))
	assert.Equal(t, 2, first.Place())
	left = 20
	assert.Equal(t, 1, first.Place())
	running.Leave(true)
	assert.True(t, runs(first))
	assert.False(t, runs(second))
}

// A prompt that takes minutes lets a short one go first, and goes on where it was.
func TestAPromptIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(one, time.Now)
		long := enter(t, q, "a", tokens(10_000))
		time.Sleep(100 * time.Second)
		short := enter(t, q, "b", tokens(100))
		require.True(t, closed(long.Revoked()))
		assert.False(t, runs(short), "the engine has not stopped yet")
		time.Sleep(time.Second)
		long.Back()
		require.True(t, runs(short))
		assert.Equal(t, Load{Waiting: 1, Running: 1}, q.Load())
		assert.False(t, runs(long))
		assert.Equal(t, 1, long.Place())
		answer(short, 4*time.Second, usualPace.answer)
		require.True(t, runs(long))
		assert.False(t, closed(long.Revoked()))
		assert.Equal(t, 10_000-101*25, long.toRead)
		answer(long, 300*time.Second, usualPace.answer)
		assert.Equal(t, Load{}, q.Load())
	})
}

// A prompt gives its turn back so often, and then no more: short ones of ever new clients come all the
// time, and stop it before it has read anything.
func TestAPromptIsNotTakenBackForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Slots: 1, Waiting: 32, WaitingOfOne: 8}, time.Now)
		long := enter(t, q, "a", tokens(1_000_000))
		for i := range 4 * usualPatience {
			require.True(t, runs(long))
			short := enter(t, q, fmt.Sprint("b", i), tokens(1))
			if !closed(long.Revoked()) {
				assert.Equal(t, usualPatience, i)
				return
			}
			long.Back()
			require.True(t, runs(short))
			answer(short, 0, time.Millisecond)
		}
		t.Error("it is taken back for ever")
	})
}

// Requests that were put back wait in the order in which they came.
func TestWhatWasPutBackWaitsWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(one, time.Now)
		first := enter(t, q, "a", tokens(10_000))
		second := enter(t, q, "b", tokens(10_000))
		short := enter(t, q, "c", tokens(1))
		require.True(t, closed(first.Revoked()))
		first.Back()
		require.True(t, runs(short))
		assert.Equal(t, 1, first.Place())
		assert.Equal(t, 2, second.Place())
		var came []*Ticket
		came = append(came, q.waiting...)
		assert.Equal(t, []*Ticket{first, second}, came)
	})
}

func TestWhatIsNotTakenBack(t *testing.T) {
	for name, tt := range map[string]struct {
		running, other Work
		read           time.Duration
		begun, taken   bool
	}{
		"a long one for a short one":       {running: tokens(10_000), other: tokens(100), taken: true},
		"a short one for a long one":       {running: tokens(1000), other: tokens(10_000)},
		"one that is nearly read":          {running: tokens(10_000), other: tokens(100), read: 385 * time.Second},
		"one that has little left":         {running: tokens(10_000), other: tokens(1000), read: 370 * time.Second},
		"one whose answer has begun":       {running: tokens(10_000), other: tokens(100), begun: true},
		"one that took longer than it may": {running: tokens(10_000), other: tokens(100), read: time.Hour},
		"background for anybody":           {running: aside(1000), other: tokens(10_000), taken: true},
		"background of some seconds":       {running: aside(400), other: tokens(100), taken: true},
		"background that is nearly read":   {running: aside(40), other: tokens(100)},
		"anybody for background":           {running: tokens(10_000), other: aside(10)},
		"background for shorter":           {running: aside(10_000), other: aside(10), taken: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := New(one, time.Now)
				running := enter(t, q, "a", tt.running)
				require.True(t, runs(running))
				time.Sleep(tt.read)
				if tt.begun {
					running.Begun()
				}
				enter(t, q, "b", tt.other)
				assert.Equal(t, tt.taken, closed(running.Revoked()))
			})
		})
	}
}

// An answer that begins while its turn is asked for is not lost.
func TestAnAnswerThatBeginsKeepsItsTurn(t *testing.T) {
	q := New(Limits{Slots: 1, Waiting: 8, WaitingOfOne: 8}, time.Now)
	long := enter(t, q, "a", tokens(10_000))
	short := enter(t, q, "b", tokens(100))
	require.True(t, closed(long.Revoked()))
	long.Begun()
	assert.False(t, runs(short))
	long.Leave(true)
	assert.True(t, runs(short))
}

// Whoever leaves while its turn is asked for, or while it waits again, makes room.
func TestWhoLeavesWhileItIsTakenBack(t *testing.T) {
	q := New(one, time.Now)
	for _, back := range []bool{false, true} {
		long := enter(t, q, "a", tokens(10_000))
		short := enter(t, q, "b", tokens(100))
		require.True(t, closed(long.Revoked()))
		if back {
			long.Back()
		}
		long.Leave(false)
		require.True(t, runs(short))
		short.Leave(true)
		assert.Equal(t, Load{}, q.Load())
	}
}

// Background work begins when the engine has been free for a while.
func TestBackgroundWaitsForAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(one, time.Now)
		running := enter(t, q, "a", tokens(100))
		title := enter(t, q, "a", aside(100))
		answer(running, 4*time.Second, 30*time.Second)
		time.Sleep(pause - time.Second)
		assert.False(t, runs(title))
		turn := enter(t, q, "a", tokens(100))
		require.True(t, runs(turn), "the next turn of the conversation")
		answer(turn, 4*time.Second, 30*time.Second)
		time.Sleep(pause + time.Millisecond)
		require.True(t, runs(title))
		title.Leave(true)
		time.Sleep(pause)
		title = enter(t, q, "a", aside(100))
		assert.True(t, runs(title), "nobody was there for long")
	})
}

// Who goes away says nothing about how long an answer takes.
func TestOnlyAnswersCount(t *testing.T) {
	q := New(one, time.Now)
	for range 20 {
		enter(t, q, "a", tokens(10)).Leave(false)
	}
	enter(t, q, "a", tokens(0))
	assert.InDelta(t, usualPace.answer.Seconds(), q.Wait("b").Seconds(), 1)
}

func TestSlots(t *testing.T) {
	q := New(Limits{Slots: 2, Waiting: 1, WaitingOfOne: 1}, time.Now)
	first, second, third := enter(t, q, "a", tokens(10)), enter(t, q, "a", tokens(10)), enter(t, q, "a", tokens(10))
	assert.True(t, runs(first))
	assert.True(t, runs(second))
	assert.False(t, runs(third))
	assert.Equal(t, Load{Waiting: 1, Running: 2}, q.Load())
	_, err := q.Enter("b", tokens(10))
	require.ErrorIs(t, err, ErrFull)
	q.SetLimits(Limits{Slots: 3, Waiting: 1, WaitingOfOne: 1})
	assert.True(t, runs(third))
}

func TestOneClientCannotFillTheQueue(t *testing.T) {
	q := New(Limits{Slots: 1, Waiting: 4, WaitingOfOne: 2}, time.Now)
	for range 3 {
		enter(t, q, "a", tokens(10))
	}
	_, err := q.Enter("a", tokens(10))
	require.ErrorIs(t, err, ErrFull)
	enter(t, q, "b", tokens(10))
	enter(t, q, "c", tokens(10))
	_, err = q.Enter("d", tokens(10))
	require.ErrorIs(t, err, ErrFull)
}

// The places of background work are bounded, too, while the slot is free.
func TestBackgroundCannotFillTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Slots: 1, Waiting: 4, WaitingOfOne: 2}, time.Now)
		enter(t, q, "a", tokens(10)).Leave(true)
		for range 2 {
			enter(t, q, "a", aside(10))
		}
		_, err := q.Enter("a", aside(10))
		require.ErrorIs(t, err, ErrFull)
		running := enter(t, q, "a", tokens(10))
		assert.True(t, runs(running))
		assert.False(t, runs(enter(t, q, "a", tokens(10))), "it has a place all the same")
	})
}

func TestWhoLeavesGivesThePlaceBack(t *testing.T) {
	q := New(one, time.Now)
	running, waiting, last := enter(t, q, "a", tokens(10)), enter(t, q, "b", tokens(10)), enter(t, q, "c", tokens(10))
	waiting.Leave(true)
	waiting.Leave(true)
	assert.Equal(t, 1, last.Place())
	assert.False(t, runs(waiting))
	running.Leave(true)
	running.Leave(true)
	assert.True(t, runs(last))
	assert.Equal(t, Load{Running: 1}, q.Load())
}

// Retry-After follows from what is to be read, and from how fast the engine was lately.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Slots: 1, Waiting: 2, WaitingOfOne: 1}, time.Now)
		assert.Zero(t, q.Wait("a"), "nothing runs")
		for range 40 {
			answer(enter(t, q, "a", tokens(1000)), 100*time.Second, 80*time.Second)
		}
		running := enter(t, q, "a", tokens(500))
		assert.InDelta(t, 50+80, q.Wait("b").Seconds(), 1, "ten tokens a second, and the answer")
		time.Sleep(30 * time.Second)
		assert.InDelta(t, 20+80, q.Wait("b").Seconds(), 1)
		time.Sleep(20 * time.Second)
		running.Begun()
		assert.InDelta(t, 80, q.Wait("b").Seconds(), 1)
		time.Sleep(60 * time.Second)
		assert.InDelta(t, 20, q.Wait("b").Seconds(), 1)
		time.Sleep(140 * time.Second)
		assert.InDelta(t, 50, q.Wait("b").Seconds(), 1, "longer than usual")
		enter(t, q, "b", tokens(1000))
		enter(t, q, "a", tokens(1000))
		assert.InDelta(t, 50, q.Wait("c").Seconds(), 1)
		assert.InDelta(t, 50+180, q.Wait("a").Seconds(), 1, "b comes before its own")
	})
}

// play lets requests come, run and go as the steps say, and watches them.
func play(t testing.TB, steps []byte) {
	w := &watched{t: t, limits: Limits{Slots: 1 + len(steps)%2, Waiting: 8, WaitingOfOne: 4}, ran: map[*Ticket]bool{}, passed: map[*Ticket]int{}}
	w.queue = New(w.limits, time.Now)
	for _, step := range steps {
		w.step(step)
		w.check()
		for _, ticket := range w.inside {
			if runs(ticket) && closed(ticket.Revoked()) && ticket.begun.IsZero() {
				ticket.Back()
				w.check()
			}
		}
	}
}

// watched is a queue with the requests in it.
type watched struct {
	t      testing.TB
	limits Limits
	queue  *Queue
	inside []*Ticket
	ran    map[*Ticket]bool
	passed map[*Ticket]int
}

func (w *watched) step(step byte) {
	if step < 160 {
		work := Work{New: func() int { return 1 << (step % 15) }, Background: step%5 == 0}
		if ticket, err := w.queue.Enter(string('a'+rune(step%4)), work); err == nil {
			w.inside = append(w.inside, ticket)
		}
		return
	}
	if len(w.inside) == 0 {
		return
	}
	i := int(step) % len(w.inside)
	switch ticket := w.inside[i]; {
	case step < 190 && runs(ticket):
		ticket.Begun()
	case step < 220:
		time.Sleep(time.Duration(step) * time.Second)
	default:
		ticket.Leave(step%2 == 0)
		w.inside = slices.Delete(w.inside, i, i+1)
	}
}

// check wants no more to run than there are slots, none that people wait for to wait beside a free one,
// the queue to know who is there, and nobody to be passed by more that came later than it has patience for.
func (w *watched) check() {
	running, people := 0, 0
	for _, ticket := range w.inside {
		switch {
		case runs(ticket):
			running++
			w.count(ticket)
		case !ticket.work.Background:
			people++
		}
		w.ran[ticket] = runs(ticket)
	}
	require.Equal(w.t, Load{Waiting: len(w.inside) - running, Running: running}, w.queue.Load())
	require.LessOrEqual(w.t, running, w.limits.Slots)
	require.False(w.t, people > 0 && running < w.limits.Slots, "a slot is free")
}

// count counts whom a request passed that runs since the last check.
func (w *watched) count(ticket *Ticket) {
	for _, other := range w.inside {
		if !w.ran[ticket] && other.came < ticket.came && !runs(other) {
			w.passed[other]++
			require.LessOrEqual(w.t, w.passed[other], other.patience())
		}
	}
}

func FuzzQueue(f *testing.F) {
	f.Add([]byte{0, 1, 2, 0, 200, 3, 129, 0})
	f.Add([]byte{14, 161, 1, 221, 1, 223, 1, 225, 1, 221, 1, 221, 1, 221})
	f.Fuzz(func(t *testing.T, steps []byte) {
		synctest.Test(t, func(t *testing.T) { play(t, steps) })
	})
}

func TestWhateverComesAndGoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		steps := make([]byte, 400)
		for i := range steps {
			steps[i] = byte(random.IntN(256))
		}
		synctest.Test(t, func(t *testing.T) { play(t, steps) })
	}
}

// Who has one request waits for those that came before it, and for no more others than it has patience
// for, whatever these cost and however many come.
func TestNobodyWaitsForEver(t *testing.T) {
	for name, work := range map[string]Work{"dear": tokens(30_000), "background": aside(100)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := New(one, time.Now)
				running := enter(t, q, "a", tokens(10))
				waits := enter(t, q, "b", work)
				later := 0
				for ; !runs(waits) && later < 200; later++ {
					next := enter(t, q, fmt.Sprint("new ", later), tokens(10))
					answer(running, time.Second, time.Second)
					running = next
				}
				require.LessOrEqual(t, later-1, waits.patience())
				assert.Greater(t, later, 1, "it is passed, as it should")
				enter(t, q, "c", tokens(10))
				assert.False(t, closed(waits.Revoked()), "it keeps its turn")
			})
		})
	}
}

// inEditor is a completion in an editor.
func inEditor(n int) Work { return Work{New: func() int { return n }, Editor: true} }

// Whoever types goes first, but for what was passed often enough.
func TestACompletionInAnEditorGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(one, time.Now)
		running := enter(t, q, "a", tokens(10))
		quick := enter(t, q, "b", tokens(1))
		typed := enter(t, q, "c", inEditor(1000))
		assert.Equal(t, 1, typed.Place())
		answer(running, 0, time.Second)
		for range usualPatience - 1 {
			require.True(t, runs(typed))
			next := enter(t, q, "c", inEditor(1000))
			assert.False(t, closed(typed.Superseded()), "it runs")
			answer(typed, time.Second, time.Second)
			typed = next
		}
		require.True(t, runs(typed))
		last := enter(t, q, "c", inEditor(1000))
		answer(typed, time.Second, time.Second)
		assert.True(t, runs(quick), "it has waited for so many")
		assert.False(t, runs(last))
	})
}

// A prompt that takes minutes lets it go first, and its own is not taken back.
func TestALongPromptIsTakenBackForAnEditor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(one, time.Now)
		long := enter(t, q, "a", tokens(10_000))
		typed := enter(t, q, "a", inEditor(1000))
		require.True(t, closed(long.Revoked()))
		long.Back()
		require.True(t, runs(typed))
		enter(t, q, "b", inEditor(10))
		enter(t, q, "b", tokens(10))
		assert.False(t, closed(typed.Revoked()))
	})
}

// Of one client only the newest waits.
func TestANewerCompletionSupersedesTheOneThatWaits(t *testing.T) {
	q := New(Limits{Slots: 1, Waiting: 3, WaitingOfOne: 2}, time.Now)
	running := enter(t, q, "a", tokens(10))
	chat := enter(t, q, "a", tokens(10))
	older := enter(t, q, "a", inEditor(10))
	other := enter(t, q, "b", tokens(10))
	other.Leave(false)
	newer := enter(t, q, "a", inEditor(10))
	assert.True(t, closed(older.Superseded()))
	assert.False(t, closed(newer.Superseded()))
	assert.False(t, closed(chat.Superseded()), "a chat never is")
	assert.Equal(t, Load{Waiting: 2, Running: 1}, q.Load())
	older.Leave(false)
	running.Leave(false)
	assert.True(t, runs(newer))
	assert.Equal(t, Load{Waiting: 1, Running: 1}, q.Load())
}

// Its answers are short: what others may expect of an answer is not learned from them.
func TestAnEditorsAnswersTellNothingOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(one, time.Now)
		for range 10 {
			answer(enter(t, q, "a", inEditor(10)), time.Second, time.Second)
		}
		assert.Equal(t, usualPace, q.pace)
	})
}

func TestIdleWorkGivesWay(t *testing.T) {
	idle := Work{New: func() int { return 512 }, Idle: true}
	for name, other := range map[string]Work{"a prompt": tokens(10), "what nobody watches": aside(10), "an editor": {New: func() int { return 1 }, Editor: true}} {
		synctest.Test(t, func(t *testing.T) {
			q := New(one, time.Now)
			first := enter(t, q, "a", idle)
			require.True(t, runs(first), name)
			_, err := q.Enter("b", idle)
			require.ErrorIs(t, err, ErrFull, name)
			second := enter(t, q, "a", idle)
			assert.False(t, runs(second), "%s: it waits for its own client", name)
			assert.False(t, closed(first.Superseded()), "%s: which ends nothing", name)

			first.Begun()
			next := enter(t, q, "b", other)
			assert.True(t, closed(first.Superseded()), "%s: its answer ends, too", name)
			assert.True(t, closed(second.Superseded()), "%s: and what waits", name)
			assert.False(t, closed(first.Revoked()), "%s: it is not put back", name)
			again := enter(t, q, "b", tokens(10)) // ended once
			first.Leave(false)
			second.Leave(false)
			_, err = q.Enter("a", idle)
			require.ErrorIs(t, err, ErrFull, name)
			again.Leave(false)
			next.Leave(false)
			assert.True(t, runs(enter(t, q, "a", idle)), name)
		})
	}
}
