package prompt

import (
	"slices"
	"sync"
)

// What llama.cpp does with a new prompt (b10361, tools/server: get_available_slot and
// server_prompt_cache).
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
	// room is how many tokens the prompt cache holds.
	room int
	contents
}

// contents are prompts in the slots, the least recently used first, and in the prompt cache, the oldest
// first.
type contents struct{ held, saved []kept }

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
	c.held = c.held[max(0, len(c.held)-slots):]
	c.makeRoom(room)
}

// Forget is for an engine that has ended.
func (c *Cache) Forget() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.contents = contents{}
}

// Shared returns how many bytes of a prompt the engine need not read.
func (c *Cache) Shared(p *Print) int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	shared, _ := c.take(p)
	return shared
}

// Read is for a prompt that the engine has read: it is kept with its answer, tokens long in all.
func (c *Cache) Read(p *Print, tokens int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	_, c.contents = c.take(p)
	c.held = append(c.held, kept{p, tokens})
}

// take returns what a prompt shares with what its slot holds when the engine begins to read it, and
// what is then kept besides. What the slot held before is saved first, which may cost the very prompt
// that would be loaded next.
func (c *Cache) take(p *Print) (shared int, rest contents) {
	rest = contents{slices.Clone(c.held), slices.Clone(c.saved)}
	slot := kept{Print: &Print{}}
	if i := c.slotFor(p); i >= 0 {
		slot = rest.held[i]
		rest.held = slices.Delete(rest.held, i, i+1)
	}
	if !slot.goesOn(p) {
		rest.save(slot, c.room)
		slot = rest.load(slot, p)
	}
	return slot.Shared(p), rest
}

// slotFor returns the slot for a prompt: the one that holds most of it, else one that is empty, which is
// -1, else the one that was not used for longest.
func (c *Cache) slotFor(p *Print) int {
	best, most := -1, int(similar*float64(p.Size()))
	for i, one := range c.held {
		if n := one.Shared(p); n > most {
			best, most = i, n
		}
	}
	if best < 0 && len(c.held) >= c.slots {
		return 0
	}
	return best
}

// goesOn reports whether a slot reads a prompt without being saved.
func (k kept) goesOn(p *Print) bool {
	shared := float64(k.Shared(p))
	return shared > similar*float64(p.Size()) && shared >= worthSaving*float64(k.Size())
}

// within reports whether a prompt is contained in another one.
func (k kept) within(other kept) bool { return k.Size()-k.Shared(other.Print) < block }

// save keeps what a slot holds, in place of what that contains, and of the oldest for which there is no
// room then.
func (c *contents) save(slot kept, room int) {
	if slot.tokens == 0 || slot.tokens > room || slices.ContainsFunc(c.saved, slot.within) {
		return
	}
	c.saved = slices.DeleteFunc(c.saved, func(k kept) bool { return k.within(slot) })
	c.makeRoom(room - slot.tokens)
	c.saved = append(c.saved, slot)
}

// makeRoom drops the oldest prompts until the others have so many tokens at most.
func (c *contents) makeRoom(room int) {
	used := 0
	for i, k := range slices.Backward(c.saved) {
		if used += k.tokens; used > room {
			c.saved = slices.Delete(c.saved, 0, i+1)
			return
		}
	}
}

// load takes the saved prompt out that is of more use for a new one than what the slot holds, of which
// it returns the better one.
func (c *contents) load(slot kept, p *Print) kept {
	best, shared, used := -1, slot.Shared(p), slot.used(p)
	for i, k := range c.saved {
		if n, part := k.Shared(p), k.used(p); part >= worthLoading && part > used && n > shared {
			best, shared, used = i, n, part
		}
	}
	if best < 0 {
		return slot
	}
	found := c.saved[best]
	c.saved = slices.Delete(c.saved, best, best+1)
	return found
}

// used returns the part of what is kept that is of use for a prompt.
func (k kept) used(p *Print) float64 { return float64(k.Shared(p)) / float64(max(1, k.Size())) }
