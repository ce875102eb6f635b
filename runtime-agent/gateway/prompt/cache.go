package prompt

import (
	"slices"
	"sync"
	"time"
)

// worthLoading is the part of a saved prompt that must be of use.
const worthLoading = 0.25

// ofLate is how long after its latest turn a conversation counts as one that goes on.
const ofLate = 30 * time.Minute

// Cache is a model of what the engine keeps of the prompts that it has read: the latest in its slot,
// and the ones before as long as there is room for them in llama.cpp's prompt cache. LocalAI does not
// tell how much it had to read.
//
// With each new prompt llama.cpp saves what the slot holds, and looks for what the prompt continues
// (b10361, tools/server/server-context.cpp, get_available_slot, with the slot_prompt_similarity of
// the appliance, and server-task.cpp, server_prompt_cache).
type Cache struct {
	mutex sync.Mutex
	// room is for the saved prompts, in tokens.
	room int
	slot kept
	// saved are in the order in which they were saved.
	saved []kept
}

// kept is a prompt that the engine keeps, with its answer so many tokens long. Nothing at all is none.
type kept struct {
	*Print
	tokens int
	read   time.Time
}

// NewCache returns the cache of an engine that has read nothing, with room for so many tokens beside
// the slot.
func NewCache(room int) *Cache { return &Cache{room: room, slot: kept{Print: &Print{}}} }

// Resize is for an engine that was configured anew.
func (c *Cache) Resize(room int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.room = room
	c.makeRoom(0)
}

// Forget is for an engine that has ended.
func (c *Cache) Forget() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.slot, c.saved = kept{Print: &Print{}}, nil
}

// Shared returns how many bytes of a prompt the engine need not read.
func (c *Cache) Shared(p *Print) int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	then := c.copy()
	then.save()
	if from := then.load(p); from >= 0 {
		return then.saved[from].Shared(p)
	}
	return then.slot.Shared(p)
}

// Read is for a prompt that the engine has read: it is kept with its answer, tokens long in all.
func (c *Cache) Read(p *Print, tokens int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.take(p, tokens)
}

func (c *Cache) take(p *Print, tokens int) {
	c.save()
	if from := c.load(p); from >= 0 {
		c.saved = slices.Delete(c.saved, from, from+1)
	}
	c.slot = kept{p, tokens, time.Now()}
}

func (c *Cache) copy() *Cache {
	return &Cache{room: c.room, slot: c.slot, saved: slices.Clone(c.saved)}
}

// Crowds reports whether a prompt, so many tokens long with its answer, pushes out a conversation that goes on: when it is
// read, or when the next one has it saved. The one that was saved longest ago goes first, so that many short prompts, of which
// each is saved, are as bad as a long one.
func (c *Cache) Crowds(p *Print, tokens int) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	then := c.copy()
	then.take(p, tokens)
	then.save()
	return slices.ContainsFunc(c.all(), func(k kept) bool {
		return k.goesOn() && !slices.ContainsFunc(then.all(), func(other kept) bool { return other.begins(k) })
	})
}

func (c *Cache) all() []kept { return slices.Concat(c.saved, []kept{c.slot}) }

// goesOn reports whether it is of a conversation that was used of late.
func (k kept) goesOn() bool { return k.Size() > 0 && !k.Passing && time.Since(k.read) < ofLate }

// load returns which saved prompt the engine takes in place of the slot, -1 for none: one that saves
// more reading and loses less.
func (c *Cache) load(p *Print) int {
	from := -1
	shared, used := c.slot.Shared(p), c.slot.used(p)
	for i, k := range c.saved {
		if n, u := k.Shared(p), k.used(p); u >= worthLoading && n > shared && u > used {
			from, shared, used = i, n, u
		}
	}
	return from
}

// used is the part of a prompt that is of use for another one.
func (k kept) used(p *Print) float64 { return float64(k.Shared(p)) / float64(max(k.Size(), 1)) }

// save saves the slot, in place of the prompts that it begins with, unless it is saved or has no room.
func (c *Cache) save() {
	slot := c.slot
	if slot.Size() == 0 || slot.tokens > c.room || slices.ContainsFunc(c.saved, func(k kept) bool { return k.begins(slot) }) {
		return
	}
	c.saved = slices.DeleteFunc(c.saved, slot.begins)
	c.makeRoom(slot.tokens)
	c.saved = append(c.saved, slot)
}

// begins reports whether a prompt begins with another one, but for the end of a part.
func (k kept) begins(other kept) bool { return other.Size()-k.Shared(other.Print) < block }

// makeRoom drops the oldest until so many tokens fit.
func (c *Cache) makeRoom(tokens int) {
	for _, k := range c.saved {
		tokens += k.tokens
	}
	for tokens > c.room && len(c.saved) > 0 {
		tokens -= c.saved[0].tokens
		c.saved = c.saved[1:]
	}
}
