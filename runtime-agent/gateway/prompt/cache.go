package prompt

import (
	"slices"
	"sync"
)

// What llama.cpp does with a new prompt (b10361, tools/server: get_available_slot and
// server_prompt_cache::load).
const (
	// worthLoading is the part of a prompt in the cache that a new one must begin with: otherwise the
	// former stays there, for its own next turn.
	worthLoading = 0.25
	// similar is the part of a new prompt that a slot must hold to be used without being saved first,
	// as the appliance sets it (slot_prompt_similarity), and worthSaving the part of a slot that must
	// be lost for that.
	similar     = 0.9
	worthSaving = 0.5
)

// Cache is a model of what the engine keeps of the prompts that it has read: the latest of each slot,
// and the ones before as long as there is room for them in llama.cpp's prompt cache. LocalAI does not
// tell how much it had to read.
type Cache struct {
	mutex sync.Mutex
	slots int
	// room is for the prompts beside those in the slots, in tokens.
	room int
	// kept are the latest prompts, oldest first.
	kept []kept
}

type kept struct {
	*Print
	tokens int
}

// NewCache returns the cache of an engine that has read nothing.
func NewCache(slots, room int) *Cache { return &Cache{slots: slots, room: room} }

// Resize is for an engine that was configured anew.
func (c *Cache) Resize(slots, room int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.slots, c.room = slots, room
	c.evict()
}

// Forget is for an engine that has ended.
func (c *Cache) Forget() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.kept = nil
}

// Shared returns how many bytes of a prompt the engine need not read.
func (c *Cache) Shared(p *Print) int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	shared, _ := c.best(p)
	return shared
}

// Read is for a prompt that the engine has read: it is kept with its answer, tokens long in all.
func (c *Cache) Read(p *Print, tokens int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if shared, from := c.best(p); from >= 0 && c.replaces(p, shared, from) {
		c.kept = slices.Delete(c.kept, from, from+1)
	}
	// What the new one contains is of no more use.
	c.kept = slices.DeleteFunc(c.kept, func(k kept) bool { return k.Size()-k.Shared(p) < block })
	c.kept = append(c.kept, kept{p, tokens})
	c.evict()
}

// best returns what a prompt shares with the one that the engine continues, and which one that is, -1
// for none.
func (c *Cache) best(p *Print) (shared, from int) {
	from = -1
	for i, k := range c.kept {
		n := k.Shared(p)
		if !c.inSlot(i) && float64(n) < worthLoading*float64(k.Size()) {
			continue
		}
		if n > shared {
			shared, from = n, i
		}
	}
	return shared, from
}

func (c *Cache) inSlot(i int) bool { return i >= len(c.kept)-c.slots }

// replaces reports whether the prompt that a new one continues is lost.
func (c *Cache) replaces(p *Print, shared, from int) bool {
	if !c.inSlot(from) {
		return true
	}
	return float64(shared) > similar*float64(p.Size()) && float64(shared) > worthSaving*float64(c.kept[from].Size())
}

// evict drops the oldest for which there is no room. llama.cpp keeps one in any case.
func (c *Cache) evict() {
	beside := len(c.kept) - c.slots
	used := 0
	for i := beside - 1; i >= 0; i-- {
		used += c.kept[i].tokens
		if used > c.room && (c.room == 0 || i < beside-1) {
			c.kept = slices.Delete(c.kept, 0, i+1)
			return
		}
	}
}
