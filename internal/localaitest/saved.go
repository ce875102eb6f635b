package localaitest

import (
	"bytes"
	"slices"
)

// The shares of tokens by which llama.cpp decides what a slot keeps.
const (
	// leastUsed is what must be of use of a saved prompt, so that it is loaded.
	leastUsed = 0.25
)

// savedPrompts is llama.cpp's prompt cache: what the slot held is saved when another conversation
// takes it, and loaded when that comes back. A prompt is as large as it has tokens.
//
// The rules are those of get_available_slot (tools/server/server-context.cpp of llama.cpp at commit
// 001d906a) and of server_prompt_cache (server-task.cpp, as it is since it makes room before it
// saves; earlier ones removed the oldest prompts after they had loaded one).
type savedPrompts struct {
	// room is how many tokens all prompts may have, 0 for no cache.
	room    int
	prompts [][]byte // the oldest first
}

// change returns what the slot holds when it begins to read a prompt, while it holds another.
func (s *savedPrompts) change(held []byte, prompt string) []byte {
	if s.room == 0 || len(held) == 0 && len(s.prompts) == 0 {
		return held
	}
	s.save(held)
	return s.load(held, prompt)
}

// save keeps a prompt, unless it is larger than the cache, in place of those that it begins with.
func (s *savedPrompts) save(prompt []byte) {
	within := func(other []byte) bool { return bytes.HasPrefix(other, prompt) }
	if slices.ContainsFunc(s.prompts, within) || len(prompt) > s.room {
		return
	}
	s.prompts = slices.DeleteFunc(s.prompts, func(other []byte) bool { return bytes.HasPrefix(prompt, other) })
	s.prompts = append(s.prompts, bytes.Clone(prompt))
	for s.size() > s.room {
		s.prompts = s.prompts[1:]
	}
}

func (s *savedPrompts) size() int {
	size := 0
	for _, prompt := range s.prompts {
		size += len(prompt)
	}
	return size
}

// load takes the prompt out that saves most reading and loses least, and returns held if that is
// as good.
func (s *savedPrompts) load(held []byte, prompt string) []byte {
	shared, used := commonPrefix(held, prompt), usedShare(held, prompt)
	best := -1
	for i, other := range s.prompts {
		if common, share := commonPrefix(other, prompt), usedShare(other, prompt); share >= leastUsed && share > used && common > shared {
			best, shared, used = i, common, share
		}
	}
	if best < 0 {
		return held
	}
	found := s.prompts[best]
	s.prompts = slices.Delete(s.prompts, best, best+1)
	return found
}

// usedShare returns the share of a saved prompt that is of use for another.
func usedShare(saved []byte, prompt string) float64 {
	return float64(commonPrefix(saved, prompt)) / float64(max(1, len(saved)))
}
