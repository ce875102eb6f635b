// Package beginning knows what the prompts of an agent's sessions begin with: the same system prompt,
// but for paths, dates and the like, and the same tools.
package beginning

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/recent"
)

const (
	// maxKinds is how many kinds of prompts are known: agents have one for each of their modes and
	// sub-agents.
	maxKinds = 16
	// maxConversations is how many conversations are remembered, so that all their prompts are divided
	// in the same way.
	maxConversations = 256
	// maxSize is the length in bytes of the longest prompt that is looked at. That of Qwen Code 0.24.4
	// has 68,000.
	maxSize = 256 << 10
	// maxPieces is how many paragraphs and tools it has at most. That of Claude Code 2.1.328 has 150.
	maxPieces = 2000
	// related is the part of the longer one that the system prompts of a session and of its kind share
	// at least, by paragraphs.
	related = 0.5
)

// Prompt is the beginning of the prompt of one session.
type Prompt struct {
	// Program is the agent that sent it, in a conversation of that name. Version is what it says of
	// itself: another version has other rules and tools.
	Program, Version, Conversation string
	System                         string
	Tools                          []Tool
}

// Tool is a tool in JSON, written always in the same way.
type Tool struct {
	Name string
	JSON json.RawMessage
}

// Beginning is what the prompts of several sessions begin with.
type Beginning struct {
	Program string `json:"program"`
	Version string `json:"version"`
	// Names are those of all tools.
	Names []string `json:"names"`
	// System is the system prompt or, without Tools, a part of it: they come after the whole. Tools
	// are those that come first.
	System string            `json:"system"`
	Tools  []json.RawMessage `json:"tools,omitempty"`
}

// Size is the length of the text, in bytes.
func (b Beginning) Size() int {
	size := len(b.System)
	for _, tool := range b.Tools {
		size += len(tool)
	}
	return size
}

// Kinds are the kinds of prompts that are known. It is safe for concurrent use.
type Kinds struct {
	divides bool

	mutex sync.Mutex
	// kinds are in the order in which a session of theirs was seen last.
	kinds []*kind
	// conversations have what stays in place in each.
	conversations *recent.Map[division]
	sessions      int
}

// kind is one kind of prompts.
type kind struct {
	// sessions is how many were seen, stay what all of them have, and begins what they begin with.
	sessions int
	stay     division
	begins   Beginning
}

// division is what stays in place: paragraphs of the system prompt, and tools.
type division struct{ system, tools pieces }

// New returns Kinds that know those of earlier sessions. Unless it divides, Divide leaves system
// prompts as they are.
func New(divides bool, known []Beginning) *Kinds {
	k := &Kinds{divides: divides, conversations: recent.NewMap[division](maxConversations)}
	for _, begins := range slices.Backward(known) {
		k.kinds = append(k.kinds, &kind{sessions: 2, stay: division{paragraphsOf(begins.System), piecesOf(begins.Tools)}, begins: begins})
	}
	return k
}

// Beginnings returns what at least two sessions of each kind begin with, those seen last first.
func (k *Kinds) Beginnings() []Beginning {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	var all []Beginning
	for _, one := range slices.Backward(k.kinds) {
		if one.sessions > 1 && one.begins.System != "" {
			all = append(all, one.begins)
		}
	}
	return all
}

// Sessions returns how many sessions were seen; as long as that is the same, so is everything else.
func (k *Kinds) Sessions() int {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return k.sessions
}

// Divide returns a prompt with the paragraphs of the system prompt that all sessions of its kind have,
// and with the tools in which they differ behind the others, and the paragraphs in which they differ.
// Prompts of one conversation are always divided in the same way; nothing is known to differ in the
// first session of a kind.
func (k *Kinds) Divide(p Prompt) (stays Prompt, moves string) {
	if p.size() > maxSize || strings.Count(p.System, blankLine)+len(p.Tools) > maxPieces {
		return p, ""
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	stay, known := k.conversations.Get(p.Conversation)
	if !known {
		stay = k.follow(p)
		k.conversations.Set(p.Conversation, stay)
	}
	if !k.divides {
		return p, ""
	}
	p.Tools, _ = stay.firstOf(p.Tools)
	p.System, moves = stay.divide(p.System)
	return p, moves
}

func (p Prompt) size() int {
	size := len(p.System)
	for _, tool := range p.Tools {
		size += len(tool.JSON)
	}
	return size
}

// follow adds a session to its kind, and returns what all sessions have.
func (k *Kinds) follow(p Prompt) division {
	one := k.take(p)
	k.kinds = append(k.kinds, one)
	k.sessions++
	one.sessions++
	one.stay.system = one.stay.system.and(paragraphsOf(p.System))
	one.stay.tools = one.stay.tools.and(piecesOf(p.texts()))
	if k.divides {
		one.begins.System, _ = one.stay.divide(p.System)
		tools, staying := one.stay.firstOf(p.Tools)
		one.begins.Tools = Prompt{Tools: tools[:staying]}.texts()
		return one.stay
	}
	shared, tools := commonPrefix(one.begins.System, p.System), p.texts()
	if len(shared) < max(len(one.begins.System), len(p.System)) {
		one.begins.Tools = nil
	}
	n := 0
	for n < min(len(one.begins.Tools), len(tools)) && bytes.Equal(one.begins.Tools[n], tools[n]) {
		n++
	}
	one.begins.System, one.begins.Tools = shared, one.begins.Tools[:n]
	return one.stay
}

// take takes the kind of a prompt out of those that are known, or makes one.
func (k *Kinds) take(p Prompt) *kind {
	all := paragraphsOf(p.System)
	for i, one := range slices.Backward(k.kinds) {
		if one.begins.Program == p.Program && one.begins.Version == p.Version && slices.Equal(one.begins.Names, p.names()) && all.related(one.stay.system) {
			k.kinds = slices.Delete(k.kinds, i, i+1)
			return one
		}
	}
	if len(k.kinds) == maxKinds {
		// One that was seen once may never come again.
		oldest := max(0, slices.IndexFunc(k.kinds, func(one *kind) bool { return one.sessions == 1 }))
		k.kinds = slices.Delete(k.kinds, oldest, oldest+1)
	}
	return &kind{
		stay:   division{all, piecesOf(p.texts())},
		begins: Beginning{Program: p.Program, Version: p.Version, Names: p.names(), System: p.System, Tools: p.texts()},
	}
}

func (p Prompt) names() []string {
	names := make([]string, len(p.Tools))
	for i, tool := range p.Tools {
		names[i] = tool.Name
	}
	return names
}

func (p Prompt) texts() []json.RawMessage {
	texts := make([]json.RawMessage, len(p.Tools))
	for i, tool := range p.Tools {
		texts[i] = tool.JSON
	}
	return texts
}

// pieces are known by their sums, and have a length each.
type pieces map[[sha256.Size]byte]int

func piecesOf[T ~[]byte](texts []T) pieces {
	all := pieces{}
	for _, one := range texts {
		all[sha256.Sum256(one)] = len(one)
	}
	return all
}

const blankLine = "\n\n"

func paragraphsOf(text string) pieces {
	all := pieces{}
	for one := range strings.SplitSeq(text, blankLine) {
		all[sha256.Sum256([]byte(one))] = len(one)
	}
	return all
}

// size is the length of all.
func (p pieces) size() int {
	size := 0
	for _, length := range p {
		size += length
	}
	return size
}

// and returns what both have: the same pieces, if the other one has them all.
func (p pieces) and(other pieces) pieces {
	both := pieces{}
	for sum, length := range p {
		if _, found := other[sum]; found {
			both[sum] = length
		}
	}
	if len(both) == len(p) {
		return p // many conversations have it
	}
	return both
}

// related reports whether a prompt has enough in common with those of a kind to be one.
func (p pieces) related(kind pieces) bool {
	shared := p.and(kind).size()
	return shared > 0 && float64(shared) >= related*float64(max(p.size(), kind.size()))
}

// divide returns the paragraphs of a text that stay, and the others.
func (d division) divide(text string) (stays, moves string) {
	var staying, moving []string
	for one := range strings.SplitSeq(text, blankLine) {
		if _, stays := d.system[sha256.Sum256([]byte(one))]; stays {
			staying = append(staying, one)
		} else {
			moving = append(moving, one)
		}
	}
	return strings.Join(staying, blankLine), strings.Join(moving, blankLine)
}

// firstOf returns the tools with those first that stay, and how many these are.
func (d division) firstOf(tools []Tool) (ordered []Tool, staying int) {
	var moving []Tool
	for _, tool := range tools {
		if _, stays := d.tools[sha256.Sum256(tool.JSON)]; stays {
			ordered = append(ordered, tool)
		} else {
			moving = append(moving, tool)
		}
	}
	return append(ordered, moving...), len(ordered)
}

// commonPrefix ends with a whole character.
func commonPrefix(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(a) && !utf8.RuneStart(a[n]) {
		n--
	}
	return a[:n]
}
