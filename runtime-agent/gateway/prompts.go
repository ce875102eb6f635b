package gateway

import (
	"fmt"
	"strconv"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/program"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/prompt"
)

// maxPrompts is how many conversations are remembered by their latest prompt: a hundred kilobytes of
// which have a fingerprint of twelve.
const maxPrompts = 256

// asked is what is known of a prompt, without a word of it.
type asked struct {
	print *prompt.Print
	// program sent it, in a conversation of that name.
	program, conversation string
	// background is true if nobody waits for the answer.
	background bool
}

// ask finds out about a prompt.
func (r *request) ask(said *call) {
	system, last := said.system(), said.last()
	said.asked = asked{
		print:      prompt.PrintOf(said.parts),
		program:    program.Name(r.r.UserAgent(), system),
		background: program.Background(system, last, said.maxTokens),
	}
	// A conversation goes by what its user said first. What agents ask besides may begin with the
	// same words.
	said.conversation = r.session() + " " + strconv.FormatBool(said.background) + " " + nameOf(said.first)
}

// nameOf returns a name for a text that tells nothing of it.
func nameOf(text string) string { return prompt.PrintOf([]prompt.Part{{Text: text}}).Name() }

// system returns the system prompt, "" if there is none.
func (c *call) system() string {
	if len(c.parts) == 0 || c.parts[0].Role != chat.System {
		return ""
	}
	return c.parts[0].Text
}

// last returns the last message, "" unless it is the user's.
func (c *call) last() string {
	if len(c.parts) == 0 || c.parts[len(c.parts)-1].Role != chat.User {
		return ""
	}
	return c.parts[len(c.parts)-1].Text
}

// unread estimates how many tokens of a prompt the engine has to read.
func (r *request) unread(said *call) int {
	return r.budget.estimate(r.session(), said.print.Size()-r.cache.Shared(said.print))
}

// account notes what the engine has read for a prompt that it has begun to answer.
func (r *reply) account() {
	if !r.heard {
		return
	}
	tokens := r.usage.PromptTokens
	if tokens == 0 {
		// The client left before the engine told.
		tokens = r.budget.estimate(r.session(), r.print.Size())
	}
	of := func(bytes int) int { return int(int64(tokens) * int64(bytes) / int64(max(r.print.Size(), 1))) }
	repeated := of(r.cache.Shared(r.print))
	turn := r.conversations.Follow(r.conversation, r.print)
	r.cache.Read(r.print, tokens+r.usage.CompletionTokens)
	r.numbers.prompt(r.program, repeated, tokens-repeated)
	log := r.log.With("program", r.program, "tokens", tokens, "repeated", repeated, "new", tokens-repeated, "answer", r.usage.CompletionTokens)
	if turn.Lost > 0 {
		r.numbers.parted(r.program, turn.Place, min(of(turn.Lost), tokens-repeated))
		log = log.With("parted", turn.Place.String(), "lost", of(turn.Lost))
	}
	log.Info("answered")
}

// prompt counts the tokens of a prompt: those that the engine had read before, and the others.
func (n *numbers) prompt(program string, repeated, unread int) {
	n.set.GetOrCreateCounter(fmt.Sprintf(`%s{program=%q,state="repeated"}`, appliance.MetricProgramTokens, program)).Add(repeated)
	n.set.GetOrCreateCounter(fmt.Sprintf(`%s{program=%q,state="new"}`, appliance.MetricProgramTokens, program)).Add(unread)
}

// parted counts what a prompt repeats not of the one before in its conversation, so that the engine
// reads so many tokens again.
func (n *numbers) parted(program string, at prompt.Place, again int) {
	labels := fmt.Sprintf(`{program=%q,at=%q}`, program, at.Kind())
	n.set.GetOrCreateCounter(appliance.MetricParted + labels).Inc()
	n.set.GetOrCreateCounter(appliance.MetricAgain + labels).Add(again)
}
