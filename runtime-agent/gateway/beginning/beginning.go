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
	// related is the part of a system prompt that sessions of one kind share at least, by paragraphs.
	related = 0.5
)

// Prompt is the beginning of the prompt of one session.
type Prompt struct {
	// Program is the agent that sent it, in a conversation of that name.
	Program, Conversation string
	// System is the system prompt, Tools are the tools, written always in the same way.
	System string
	Tools  json.RawMessage
}

// Beginning is what the prompts of several sessions begin with.
type Beginning struct {
	Program string `json:"program"`
	// System is the system prompt or, without Tools, a part of it: they come after the whole.
	System string          `json:"system"`
	Tools  json.RawMessage `json:"tools,omitempty"`
}

// Kinds are the kinds of prompts that are known. It is safe for concurrent use.
type Kinds struct {
	divides bool

	mutex sync.Mutex
	// kinds are in the order in which a session of theirs was seen last.
	kinds []*kind
	// conversations have the paragraphs that stay.
	conversations *recent.Map[paragraphs]
	sessions      int
}

// kind is one kind of prompts.
type kind struct {
	tools [sha256.Size]byte
	// sessions is how many were seen, stay what the system prompts of all of them have, and begins
	// what they begin with.
	sessions int
	stay     paragraphs
	begins   Beginning
}

// New returns Kinds that know those of earlier sessions. Unless it divides, Divide leaves system
// prompts as they are.
func New(divides bool, known []Beginning) *Kinds {
	k := &Kinds{divides: divides, conversations: recent.NewMap[paragraphs](maxConversations)}
	for _, begins := range slices.Backward(known) {
		k.kinds = append(k.kinds, &kind{tools: sha256.Sum256(begins.Tools), sessions: 2, stay: paragraphsOf(begins.System), begins: begins})
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

// Divide returns the paragraphs of a system prompt that all sessions of its kind have, and those in
// which they differ. Prompts of one conversation are always divided in the same way; nothing is known
// to differ in the first session of a kind.
func (k *Kinds) Divide(p Prompt) (stays, moves string) {
	if len(p.System)+len(p.Tools) > maxSize {
		return p.System, ""
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	stay, known := k.conversations.Get(p.Conversation)
	if !known {
		stay = k.follow(p)
		k.conversations.Set(p.Conversation, stay)
	}
	if !k.divides {
		return p.System, ""
	}
	return stay.divide(p.System)
}

// follow adds a session to its kind, and returns which paragraphs all sessions have.
func (k *Kinds) follow(p Prompt) paragraphs {
	one := k.take(p)
	k.kinds = append(k.kinds, one)
	one.sessions++
	k.sessions++
	one.stay = one.stay.and(paragraphsOf(p.System))
	if k.divides {
		one.begins.System, _ = one.stay.divide(p.System)
		return one.stay
	}
	shared := commonPrefix(one.begins.System, p.System)
	if len(shared) < max(len(one.begins.System), len(p.System)) {
		one.begins.Tools = nil
	}
	one.begins.System = shared
	return one.stay
}

// take takes the kind of a prompt out of those that are known, or makes one.
func (k *Kinds) take(p Prompt) *kind {
	tools, all := sha256.Sum256(p.Tools), paragraphsOf(p.System)
	for i, one := range slices.Backward(k.kinds) {
		if one.begins.Program == p.Program && one.tools == tools && one.stay.related(all) {
			k.kinds = slices.Delete(k.kinds, i, i+1)
			return one
		}
	}
	if len(k.kinds) == maxKinds {
		k.kinds = slices.Delete(k.kinds, 0, 1)
	}
	return &kind{tools: tools, stay: all, begins: Beginning{Program: p.Program, System: p.System, Tools: bytes.Clone(p.Tools)}}
}

// paragraphs are known by their sums, and have a length each.
type paragraphs map[[sha256.Size]byte]int

const blankLine = "\n\n"

func paragraphsOf(text string) paragraphs {
	all := paragraphs{}
	for one := range strings.SplitSeq(text, blankLine) {
		all[sha256.Sum256([]byte(one))] = len(one)
	}
	return all
}

// size is the length of all.
func (s paragraphs) size() int {
	size := 0
	for _, length := range s {
		size += length
	}
	return size
}

func (s paragraphs) and(other paragraphs) paragraphs {
	both := paragraphs{}
	for sum, length := range s {
		if _, found := other[sum]; found {
			both[sum] = length
		}
	}
	return both
}

// related reports whether two prompts have enough in common to be of one kind.
func (s paragraphs) related(other paragraphs) bool {
	return float64(s.and(other).size()) >= related*float64(min(s.size(), other.size()))
}

func (s paragraphs) divide(text string) (stays, moves string) {
	var staying, moving []string
	for one := range strings.SplitSeq(text, blankLine) {
		if _, stays := s[sha256.Sum256([]byte(one))]; stays {
			staying = append(staying, one)
		} else {
			moving = append(moving, one)
		}
	}
	return strings.Join(staying, blankLine), strings.Join(moving, blankLine)
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
