package gateway

import (
	"context"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/engine"
)

// cost is what one request has taken, as far as it is known.
type cost struct {
	arrived time.Time
	// queued is true for a request that needs the engine; waited and worked are how long it waited for its
	// turns, and how long they took.
	queued         bool
	waited, worked time.Duration
	// untilFirst is the time from arrival to the first token, 0 without one. wrote is when the first one of a text came:
	// LocalAI sends a tool call as a whole, at its end.
	untilFirst time.Duration
	wrote      time.Time
	// repeated are tokens of the prompt that the engine had already, read those that it had to read, answer
	// those of the answer.
	repeated, read, answer int
	// speed is in tokens per second, 0 if it is not known.
	speed float64
}

// waits adds the time since a request began to wait for its turn.
func (c *cost) waits(since time.Time) {
	c.queued = true
	c.waited += time.Since(since)
}

// works adds the time since the engine began to work for it.
func (c *cost) works(since time.Time) { c.worked += time.Since(since) }

// prompt sets how many tokens of the prompt the engine had already, and how many it had to read.
func (c *cost) prompt(repeated, read int) { c.repeated, c.read = repeated, read }

// hear takes notice of what the engine says. Until it tells how many tokens an answer has, its parts are counted:
// each has one, or a few.
func (c *cost) hear(event engine.Event) {
	now := time.Now()
	if c.untilFirst == 0 {
		c.untilFirst = now.Sub(c.arrived)
	}
	text, part := partOf(event.Chunk)
	if part {
		c.answer++
	}
	if text && c.wrote.IsZero() {
		c.wrote = now
	}
	if usage := event.Chunk.Usage; event.Done && usage != nil {
		c.prompt(0, usage.PromptTokens) // LocalAI v4.9.0 does not tell what it had already
		c.answer = max(c.answer, usage.CompletionTokens)
	}
	if event.Done && !c.wrote.IsZero() && now.After(c.wrote) {
		c.speed = float64(c.answer-1) / now.Sub(c.wrote).Seconds()
	}
}

// heard takes notice of what comes from the engine, for the numbers. An error may be that the client has left.
func (r *request) heard(ctx context.Context, next said) {
	if next.err == nil {
		r.cost.hear(next.event)
	}
	if ctx.Err() == nil {
		r.numbers.engineAnswers(next.err)
	}
}

// partOf reports whether a chunk has a part of a text, and whether it has a part of the answer, which is
// that or a tool call.
func partOf(chunk chat.Chunk) (text, part bool) {
	for _, choice := range chunk.Choices {
		text = text || choice.Delta.Reasoning != "" || notEmpty(choice.Text) || notEmpty(choice.Delta.Content)
		part = part || text || len(choice.Delta.ToolCalls) > 0
	}
	return text, part
}

func notEmpty(text *string) bool { return text != nil && *text != "" }

// addTo adds the cost of a request to the numbers.
func (c *cost) addTo(n *numbers, route, key string) {
	if !c.queued {
		return
	}
	n.queued.observe(seconds, c.waited.Seconds())
	n.engineFor.countTime(c.worked, "key", key)
	n.promptTokens.count(c.repeated, "key", key, "state", "repeated")
	n.promptTokens.count(c.read, "key", key, "state", "new")
	n.answerTokens.count(c.answer, "key", key)
	if c.untilFirst > 0 {
		n.firstToken.observe(seconds, c.untilFirst.Seconds(), "route", route)
	}
	if c.speed > 0 {
		n.speed.observe(tokensPerSecond, c.speed)
	}
}
