package gateway

import (
	"sync"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/recent"
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
	// near is the part of the limit from which on an estimate is not good enough. One for the first
	// prompt of a conversation is off by a quarter at most, later ones by a few hundredths.
	near = 0.75
	// maxConversations bounds what is remembered of them.
	maxConversations = 256
)

// budget decides which prompts are too long. Coding agents answer that with a summary of the
// conversation, the request for which holds all of it: so prompts are refused while there is still
// room for that, and the next ones of that conversation may use the whole context, until one was
// answered.
//
// Agents only do so if they are refused at once, with a status: when the prompt has waited for its
// turn, the head of the answer is long sent. So tokens are estimated, from how many the engine
// found in the last prompt of the conversation, and counted where the estimate comes near the limit.
type budget struct {
	mutex         sync.Mutex
	conversations *recent.Map[conversation]
}

type conversation struct {
	ratio   float64
	refused bool
}

func newBudget() *budget {
	return &budget{conversations: recent.NewMap[conversation](maxConversations)}
}

// ordinary is the length of the longest prompt, in tokens, of one that is not for a summary.
func ordinary(contextSize int) int { return contextSize - min(contextSize*3/16, mostReserve) }

// limit returns how long the next prompt of a conversation may be, in tokens.
func (b *budget) limit(name string, contextSize int) int {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.of(name).refused {
		return contextSize
	}
	return ordinary(contextSize)
}

// refuse remembers that a prompt of a conversation was too long.
func (b *budget) refuse(name string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	one := b.of(name)
	one.refused = true
	b.conversations.Set(name, one)
}

// estimate returns how many tokens a text of so many bytes has.
func (b *budget) estimate(name string, text int) int {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return int(float64(text) / b.of(name).ratio)
}

// learn remembers how many tokens the engine found in the text of a prompt that was answered.
func (b *budget) learn(name string, text, tokens, contextSize int) {
	if text <= 0 || tokens < leastLearned {
		return
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	one := b.of(name)
	one.ratio = float64(text) / float64(tokens)
	one.refused = one.refused && tokens <= ordinary(contextSize)
	b.conversations.Set(name, one)
}

// of returns what is known of a conversation.
func (b *budget) of(name string) conversation {
	if one, found := b.conversations.Get(name); found {
		return one
	}
	return conversation{ratio: usualRatio}
}
