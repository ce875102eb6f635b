package gateway

import (
	"sync"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

const (
	// usualRatio is bytes for each token, before any prompt was counted: between prose (4.5) and
	// JSON with much punctuation (3).
	usualRatio = 3.5
	// mostReserve is the largest part of the context, in tokens, that is kept for a summary: the
	// request for one is longer than the one that was refused (Claude Code: by 6 kB), and its
	// answer has a few thousand tokens. Agents that know the size of the context are told to
	// summarize at three quarters of it, before they are refused.
	mostReserve = 6144
	// leastLearned is the length in tokens of the shortest prompt that says how long tokens are: in
	// shorter ones most are the template's.
	leastLearned = 1000
	// maxConversations bounds what is remembered.
	maxConversations = 256
)

// budget decides which prompts are too long. Coding agents answer that with a summary of the
// conversation, the request for which holds all of it: so prompts are refused while there is still
// room for that, and the next one of that conversation may use the whole context.
//
// Agents only do so if they are refused at once, with a status: when the prompt has waited for its
// turn, the head of the answer is long sent. So tokens are estimated, from how many the engine
// found in the last prompt of the conversation.
type budget struct {
	mutex         sync.Mutex
	conversations map[string]conversation
	ratio         float64 // of the last prompt of all
	asked         int
}

type conversation struct {
	ratio   float64
	refused bool
	asked   int // when, in requests
}

func newBudget() *budget {
	return &budget{conversations: map[string]conversation{}, ratio: usualRatio}
}

// ordinary is the length of the longest prompt, in tokens, of one that is not for a summary.
func ordinary(contextSize int) int { return contextSize - min(contextSize*3/16, mostReserve) }

// admit returns the error for a prompt that is too long.
func (b *budget) admit(name string, text, least, contextSize int) *failure.Error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	one := b.of(name)
	tokens, limit := max(int(float64(text)/one.ratio), least), ordinary(contextSize)
	if one.refused {
		limit = contextSize
	}
	if least >= contextSize {
		limit = contextSize
	}
	one.refused = tokens > limit
	b.conversations[name] = one
	if one.refused {
		return failure.TooLong(tokens, limit)
	}
	return nil
}

// estimate returns how many tokens a text of so many bytes has.
func (b *budget) estimate(name string, text int) int {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return int(float64(text) / b.of(name).ratio)
}

// learn remembers how many tokens the engine found in the text of a prompt.
func (b *budget) learn(name string, text, tokens int) {
	if text <= 0 || tokens < leastLearned {
		return
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	one := b.of(name)
	one.ratio = float64(text) / float64(tokens)
	b.ratio = one.ratio
	b.conversations[name] = one
}

// of returns what is known of a conversation, and forgets the oldest if they are too many.
func (b *budget) of(name string) conversation {
	b.asked++
	one, found := b.conversations[name]
	if !found {
		one = conversation{ratio: b.ratio}
		if len(b.conversations) >= maxConversations {
			b.forget()
		}
	}
	one.asked = b.asked
	return one
}

func (b *budget) forget() {
	oldest, asked := "", b.asked
	for name, one := range b.conversations {
		if one.asked < asked {
			oldest, asked = name, one.asked
		}
	}
	delete(b.conversations, oldest)
}
