package prompt

import (
	"sync"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/recent"
)

// Conversations knows the latest prompt of each conversation. Each prompt should begin with the one
// before, and add to it: a client that changes what was said has the engine read it again.
type Conversations struct {
	mutex  sync.Mutex
	latest *recent.Map[*Print]
}

// NewConversations returns a memory of that many conversations.
func NewConversations(limit int) *Conversations {
	return &Conversations{latest: recent.NewMap[*Print](limit)}
}

// Turn is what one prompt has in common with the one before in its conversation.
type Turn struct {
	// First is true for the first prompt of a conversation.
	First bool
	// Lost is how many bytes of the one before it does not repeat, 0 if it only adds to that; from Place
	// on they differ.
	Lost int
	Place
}

// Follow adds a prompt to the conversation of that name.
func (c *Conversations) Follow(name string, p *Print) Turn {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	before, known := c.latest.Get(name)
	c.latest.Set(name, p)
	if !known {
		return Turn{First: true}
	}
	shared := before.Shared(p)
	turn := Turn{Lost: before.Size() - shared}
	if turn.Lost > 0 {
		turn.Place = before.At(shared)
	}
	return turn
}
