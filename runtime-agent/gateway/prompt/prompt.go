// Package prompt knows what a prompt consists of, and how much of it the engine has read before: on
// a CPU nearly all waiting is the reading of prompts.
package prompt

import (
	"fmt"
	"hash/maphash"
	"sort"
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

// block is how many bytes of a prompt are compared at a time: some 16 tokens.
const block = 64

// Print is the fingerprint of a prompt. It tells how much of one prompt another one repeats, and
// holds nothing that was said.
type Print struct {
	size int
	// sums are of the first block, of the first two, and so on.
	sums []uint64
	// begins are the places of the parts, and at which byte each begins.
	begins []begin
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
	write := func(text string) {
		for len(text) > 0 {
			n := min(block-p.size%block, len(text))
			_, _ = hash.WriteString(text[:n]) // it never fails
			p.size += n
			text = text[n:]
			if p.size%block == 0 {
				p.sums = append(p.sums, hash.Sum64())
			}
		}
	}
	for _, part := range parts {
		p.begins = append(p.begins, begin{p.size, part.Place})
		// Templates tell the roles apart, in a few tokens.
		write("\x00" + part.Role + "\x00")
		write(part.Text)
	}
	return p
}

// Size is the length of the prompt, in bytes.
func (p *Print) Size() int { return p.size }

// Shared returns how many bytes both prompts begin with, rounded down to blocks.
func (p *Print) Shared(other *Print) int {
	n := min(len(p.sums), len(other.sums))
	return block * sort.Search(n, func(i int) bool { return p.sums[i] != other.sums[i] })
}

// At returns the place of a byte.
func (p *Print) At(offset int) Place {
	after := sort.Search(len(p.begins), func(i int) bool { return p.begins[i].at > offset })
	if after == 0 {
		return Place{}
	}
	return p.begins[after-1].Place
}
