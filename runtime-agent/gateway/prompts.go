package gateway

import (
	"strconv"

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
	name := program.Name(r.r.UserAgent(), system)
	if said.editor {
		name = program.Editor
	}
	said.asked = asked{
		print:      prompt.PrintOf(said.parts),
		program:    name,
		background: r.isOwn() || !said.editor && program.Background(name, system, last, said.maxTokens),
	}
	said.print.Passing = said.editor || said.background
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
	if !r.read {
		r.leftUnread()
		return
	}
	tokens := r.cost.read
	if tokens == 0 {
		// The client left before the engine told.
		tokens = r.printed()
	}
	of := func(bytes int) int { return int(int64(tokens) * int64(bytes) / int64(max(r.print.Size(), 1))) }
	repeated := of(r.cache.Shared(r.print))
	turn := r.follow()
	r.cache.Read(r.print, tokens+r.cost.answer)
	r.cost.prompt(repeated, tokens-repeated)
	r.numbers.programTokens.count(repeated, "program", r.program, "state", "repeated")
	r.numbers.programTokens.count(tokens-repeated, "program", r.program, "state", "new")
	log := r.log.With("program", r.program, "tokens", tokens, "repeated", repeated, "new", tokens-repeated, "answer", r.cost.answer)
	if turn.Lost > 0 {
		again := min(of(turn.Lost), tokens-repeated)
		r.numbers.parted.count(1, "program", r.program, "at", turn.Kind())
		r.numbers.again.count(again, "program", r.program, "at", turn.Kind())
		log = log.With("parted", turn.String(), "again", again)
	}
	log.Info("answered")
}

// follow returns what a prompt has in common with the one before in its conversation. Completions in an editor are none:
// each is about another place.
func (r *reply) follow() prompt.Turn {
	if r.editor {
		return prompt.Turn{First: true}
	}
	return r.conversations.Follow(r.conversation, r.print)
}
