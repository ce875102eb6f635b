package queue_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/queue"
)

// The engine of the simulation: a model of 24B on some 16 cores, with the cache of the appliance.
const (
	readingSpeed = 25     // tokens a second
	writingSpeed = 5      // tokens a second
	cacheRoom    = 72_437 // tokens, as package fit says for Devstral and 32 GiB
	// batch is how many tokens the engine reads at a time: it is told to stop between two batches.
	batch = 512
)

// machine is an engine with one slot, and a cache for what the slot held before.
type machine struct {
	mutex sync.Mutex
	slot  known
	saved []known // the oldest first
	// read counts tokens.
	read int
}

// known is how many tokens of a conversation the engine knows.
type known struct {
	conversation string
	tokens       int
}

// unread returns how many tokens of a prompt are to be read: the last one always is.
func (m *machine) unread(r request) int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.slot.conversation == r.conversation {
		return max(1, r.prompt-m.slot.tokens)
	}
	return max(1, r.prompt-m.ofSaved(r.conversation))
}

func (m *machine) ofSaved(conversation string) int {
	for _, one := range m.saved {
		if one.conversation == conversation {
			return one.tokens
		}
	}
	return 0
}

// load puts a conversation into the slot, and what was there into the cache.
func (m *machine) load(conversation string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.slot.conversation == conversation {
		return
	}
	m.saved = append(m.saved, m.slot)
	for size(m.saved) > cacheRoom {
		m.saved = m.saved[1:]
	}
	m.slot = known{conversation, m.ofSaved(conversation)}
	m.saved = slices.DeleteFunc(m.saved, func(one known) bool { return one.conversation == conversation })
}

func size(all []known) int {
	total := 0
	for _, one := range all {
		total += one.tokens
	}
	return total
}

// add has the slot know more tokens, some of which were read.
func (m *machine) add(tokens, read int) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.slot.tokens += tokens
	m.read += read
}

// reads reports whether a prompt was read to its end.
func (m *machine) reads(r request, revoked <-chan struct{}) bool {
	m.load(r.conversation)
	start, unread := time.Now(), m.unread(r)
	select {
	case <-time.After(time.Duration(unread) * time.Second / readingSpeed):
		m.add(unread, unread)
		return true
	case <-revoked:
		read := int(time.Since(start) * readingSpeed / time.Second)
		read = min(unread, (read/batch+1)*batch)
		time.Sleep(time.Until(start.Add(time.Duration(read) * time.Second / readingSpeed)))
		m.add(read, read)
		return false
	}
}

func (m *machine) writes(tokens int) {
	time.Sleep(time.Duration(tokens) * time.Second / writingSpeed)
	m.add(tokens, 0)
}

// request is one of an agent.
type request struct {
	conversation   string
	prompt, answer int
	background     bool
}

// simulation is some people before one engine.
type simulation struct {
	machine
	enter enter

	mutex sync.Mutex
	// first and later are how long people waited for the first token of an answer.
	first, later []time.Duration
	took         time.Duration
}

// ask has a request answered, and returns how long its first token took.
func (s *simulation) ask(person string, r request) time.Duration {
	arrived := time.Now()
	ticket := s.enter(person, queue.Work{New: func() int { return s.unread(r) }, Background: r.background})
	for <-ticket.Ready(); !s.reads(r, ticket.Revoked()); <-ticket.Ready() {
		ticket.Back()
	}
	ticket.Begun()
	waited := time.Since(arrived)
	s.writes(r.answer)
	ticket.Leave(true)
	return waited
}

// person works with an agent.
func (s *simulation) person(name string, with client, script [][]exchange) {
	var aside sync.WaitGroup
	defer aside.Wait()
	for i, conversation := range script {
		id := fmt.Sprintf("%s %d", name, i)
		prompt := with.first
		for n, one := range conversation {
			time.Sleep(one.pause)
			if n == 0 && with.title > 0 {
				aside.Go(func() { s.ask(name, request{id + " title", with.title, 10, true}) })
				time.Sleep(time.Millisecond) // it is sent first
			}
			prompt += one.added
			s.note(n == 0, s.ask(name, request{id, prompt, one.answer, false}))
			prompt += one.answer
			if one.ends && with.memory > 0 {
				memory := with.memory + prompt - with.first
				aside.Go(func() { s.ask(name, request{id + " memory", memory, 60, true}) })
			}
		}
	}
}

func (s *simulation) note(first bool, waited time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if first {
		s.first = append(s.first, waited)
		return
	}
	s.later = append(s.later, waited)
}

// simulate plays what some people do, to its end. The seed decides who they are, and their scripts.
func simulate(t *testing.T, people int, seed uint64, order func(*queue.Queue) enter) *simulation {
	t.Helper()
	s := &simulation{}
	synctest.Test(t, func(*testing.T) {
		s.enter = order(queue.New(queue.Limits{Slots: 1, Waiting: 32, WaitingOfOne: 8}, time.Now))
		start := time.Now()
		var all sync.WaitGroup
		for i := range uint64(people) {
			random := rand.New(rand.NewPCG(seed, i))
			with := clients[(seed+i)%uint64(len(clients))]
			all.Go(func() { s.person(fmt.Sprint("person ", i), with, script(random)) })
		}
		all.Wait()
		s.took = time.Since(start)
	})
	return s
}
