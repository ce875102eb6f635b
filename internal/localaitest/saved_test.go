package localaitest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// talk is a conversation that grows by one exchange with each turn.
type talk struct{ prompt string }

// session returns a conversation with a first prompt of its own, or with one that others share.
func session(first string, length int) *talk {
	return &talk{first + strings.Repeat(first[len(first)-1:], length-len(first))}
}

// turn reads the next prompt, writes an answer, and returns how much was read.
func (c *talk) turn(t *testing.T, s *slot) int {
	t.Helper()
	const asked, answer = "<ask it again>", "<say it again>"
	c.prompt += asked
	read, err := s.read(t.Context(), c.prompt, 0, alive)
	require.NoError(t, err)
	s.cached = append(s.cached, answer...)
	c.prompt += answer
	return read
}

// What the engine reads of nine turns of each conversation, taken in turn. The recorded requests of
// real agents came to the same, in kind: all of it where one conversation too many was kept, and
// otherwise the first prompts and little else.
func TestConversationsInTurn(t *testing.T) {
	const shared = "The system prompt and the tools of one client, which all of its sessions have."
	first := len("<ask it again>")
	for name, c := range map[string]struct {
		room  int
		talks func() []*talk
		// again is true if each turn reads its whole prompt.
		again bool
	}{
		"one conversation":      {0, func() []*talk { return []*talk{session("a", 1000)} }, false},
		"two, without a cache":  {0, func() []*talk { return []*talk{session("a", 1000), session("b", 800)} }, true},
		"two":                   {3000, func() []*talk { return []*talk{session("a", 1000), session("b", 800)} }, false},
		"three":                 {5000, func() []*talk { return []*talk{session("a", 1000), session("b", 800), session("c", 1200)} }, false},
		"one too many":          {2800, func() []*talk { return []*talk{session("a", 1000), session("b", 800), session("c", 1200)} }, true},
		"two sessions of one":   {3000, func() []*talk { return []*talk{session(shared+"a", 1000), session(shared+"b", 1000)} }, false},
		"larger than the cache": {500, func() []*talk { return []*talk{session("a", 1000), session("b", 800)} }, true},
		"three sessions of one": {5000, func() []*talk {
			return []*talk{session(shared+"a", 1000), session(shared+"b", 1000), session(shared+"c", 1000)}
		}, false},
		"a short one in between": {5000, func() []*talk { return []*talk{session("a", 1000), session("b", 20)} }, false},
		"half alike, in the slot": {3000, func() []*talk {
			return []*talk{session(strings.Repeat("x", 500)+"a", 1000), session(strings.Repeat("x", 500)+"b", 1000)}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, talks := &slot{saved: savedPrompts{room: c.room}}, c.talks()
			for turn := range 9 {
				for i, one := range talks {
					before := len(one.prompt)
					read := one.turn(t, s)
					switch {
					case turn == 0:
						assert.LessOrEqual(t, read, before+first)
					case c.again:
						assert.Equal(t, before+first, read, "turn %d of %d", turn, i)
					case !c.again:
						assert.Equal(t, first, read, "turn %d of %d", turn, i)
					}
				}
			}
			assert.LessOrEqual(t, s.saved.size(), c.room)
		})
	}
}

// A conversation is kept once: what it was before goes when it is saved again.
func TestASavedPromptReplacesItsBeginning(t *testing.T) {
	s := savedPrompts{room: 100}
	for _, prompt := range []string{"one", "two", "one and more", "one"} {
		s.save([]byte(prompt))
	}
	assert.Equal(t, []string{"two", "one and more"}, texts(s.prompts))
	assert.Equal(t, "two", string(s.load([]byte("something"), "two and a half")))
	assert.Equal(t, []string{"one and more"}, texts(s.prompts))
	assert.Equal(t, "something", string(s.load([]byte("something"), "another thing")))
}

func texts(prompts [][]byte) []string {
	var all []string
	for _, prompt := range prompts {
		all = append(all, string(prompt))
	}
	return all
}

// What is read of a prompt whose client leaves is kept, whoever comes between.
func TestWhatWasReadIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slot{saved: savedPrompts{room: 5000}}
		long := strings.Repeat("word ", 200)
		for _, want := range []int{400, 400, 200} {
			ctx, leave := context.WithTimeout(t.Context(), 4*time.Second+time.Millisecond)
			read, err := s.read(ctx, long, 100, alive)
			leave()
			assert.Equal(t, want, read)
			assert.Equal(t, want < 400, err == nil)
			other := fmt.Sprint(want, " is another prompt")
			_, err = s.read(t.Context(), other, 0, alive)
			require.NoError(t, err)
		}
	})
}

func TestANewBackendKnowsNoSavedPrompts(t *testing.T) {
	s := newSlots(Options{Models: []Model{tiny}, CacheRAM: 100})["tiny"]
	read := func(prompt string) int {
		read, err := s.read(t.Context(), prompt, 0, alive)
		require.NoError(t, err)
		return read
	}
	assert.Equal(t, []int{3, 3, 1}, []int{read("one"), read("two"), read("one")})
	s.forget(t.Context())
	assert.Equal(t, []int{3, 3, 1}, []int{read("one"), read("two"), read("one")})
}
