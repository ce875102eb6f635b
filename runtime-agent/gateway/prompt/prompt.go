// Package prompt knows what a prompt consists of, and how much of it the engine has read before: on
// a CPU nearly all waiting is the reading of prompts.
package prompt

import (
	"fmt"
	"hash/maphash"
	"sort"
	"strconv"
	"strings"
)

// Part is a text of a prompt, in the order in which chat templates print them: the system prompt,
// the tools, then the messages.
type Part struct {
	Place
	Text string
}

// Place says where a text stands, without a word of it.
type Place struct {
	// Message is the number of the message, and Role whose it is; a tool has neither.
	Message int
	Role    string
	// Field is the name of the field, such as content or tools[3].
	Field string
}

func (p Place) String() string {
	if p.Role == "" {
		return p.Field
	}
	return fmt.Sprintf("messages[%d].%s of %s", p.Message, p.Field, p.Role)
}

// Kind is the place without numbers: there are few of them, whatever clients send.
func (p Place) Kind() string {
	field, _, _ := strings.Cut(p.Field, "[")
	if p.Role == "" {
		return field
	}
	return p.Role + " " + field
}

// block is how many bytes of a part are compared at a time: some 16 tokens.
const block = 64

// Print is the fingerprint of a prompt. It tells how much of one prompt another one repeats, and
// holds nothing that was said.
type Print struct {
	size int
	// blocks are where each ends, with the sum of all up to there.
	blocks []blockEnd
	// begins are the places of the parts, and at which byte each begins.
	begins []begin
	// Passing is true for a prompt that nobody goes on from: a title, a completion in an editor.
	Passing bool
}

type blockEnd struct {
	at  int
	sum uint64
}

type begin struct {
	at int
	Place
}

// seed makes the fingerprints of one process worthless to everybody else.
var seed = maphash.MakeSeed()

// PrintOf returns the fingerprint of a prompt.
func PrintOf(parts []Part) *Print {
	var hash maphash.Hash
	hash.SetSeed(seed)
	p := &Print{}
	for _, part := range parts {
		p.begins = append(p.begins, begin{p.size, part.Place})
		// Templates tell the roles apart, in a few tokens.
		text := "\x00" + part.Role + "\x00"
		_, _ = hash.WriteString(text) // it never fails
		p.size += len(text)
		for text = part.Text; ; {
			n := min(block, len(text))
			_, _ = hash.WriteString(text[:n]) // as above
			p.size += n
			p.blocks = append(p.blocks, blockEnd{p.size, hash.Sum64()})
			if text = text[n:]; text == "" {
				break
			}
		}
	}
	return p
}

// Size is the length of the prompt, in bytes.
func (p *Print) Size() int { return p.size }

// Name tells prompts apart.
func (p *Print) Name() string {
	if len(p.blocks) == 0 {
		return ""
	}
	return strconv.FormatUint(p.blocks[len(p.blocks)-1].sum, 36)
}

// Shared returns how many bytes both prompts begin with, to the end of a block or of a part.
func (p *Print) Shared(other *Print) int {
	n := min(len(p.blocks), len(other.blocks))
	n = sort.Search(n, func(i int) bool { return p.blocks[i] != other.blocks[i] })
	if n == 0 {
		return 0
	}
	return p.blocks[n-1].at
}

// At returns the place of a byte.
func (p *Print) At(offset int) Place {
	after := sort.Search(len(p.begins), func(i int) bool { return p.begins[i].at > offset })
	if after == 0 {
		return Place{}
	}
	return p.begins[after-1].Place
}
