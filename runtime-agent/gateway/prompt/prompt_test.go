package prompt_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/prompt"
)

func part(message int, role, text string) prompt.Part {
	return prompt.Part{Place: prompt.Place{Message: message, Role: role, Field: "content"}, Text: text}
}

// text returns so many bytes, which begin with a name.
func text(name string, size int) string { return (name + strings.Repeat(" word", size))[:size] }

// A prompt repeats another one up to the first byte that differs, give or take a block.
func TestShared(t *testing.T) {
	system, user, result := part(0, "system", text("s", 1000)), part(1, "user", text("u", 500)), part(2, "tool", text("t", 700))
	first := prompt.PrintOf([]prompt.Part{system, user})
	alone := prompt.PrintOf([]prompt.Part{system})
	for name, tt := range map[string]struct {
		parts       []prompt.Part
		least, most int
	}{
		"the same":           {[]prompt.Part{system, user}, first.Size(), first.Size()},
		"a longer one":       {[]prompt.Part{system, user, result}, first.Size(), first.Size()},
		"a shorter one":      {[]prompt.Part{system}, alone.Size(), alone.Size()},
		"another user":       {[]prompt.Part{system, part(1, "user", text("v", 500))}, alone.Size(), alone.Size()},
		"another role":       {[]prompt.Part{system, part(1, "tool", user.Text)}, alone.Size(), alone.Size()},
		"another system":     {[]prompt.Part{part(0, "system", text("r", 1000)), user}, 0, 0},
		"a clock in between": {[]prompt.Part{part(0, "system", system.Text[:600]+"12:07"+system.Text[605:]), user}, 600 - 64, 600 + 64},
		"nothing":            {nil, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			shared := first.Shared(prompt.PrintOf(tt.parts))
			assert.GreaterOrEqual(t, shared, tt.least)
			assert.LessOrEqual(t, shared, tt.most)
		})
	}
}

// Where a text is cut into parts does not matter beyond the marks between them, and no text can
// pretend to be another's end.
func FuzzShared(f *testing.F) {
	f.Add(strings.Repeat("a", 100), "b", "c")
	f.Fuzz(func(t *testing.T, same, one, other string) {
		a := prompt.PrintOf([]prompt.Part{part(0, "user", same), part(1, "assistant", one)})
		b := prompt.PrintOf([]prompt.Part{part(0, "user", same), part(1, "assistant", other)})
		shared := a.Shared(b)
		assert.Equal(t, shared, b.Shared(a))
		assert.GreaterOrEqual(t, shared, len(same))
		assert.LessOrEqual(t, shared, min(a.Size(), b.Size()))
		if one != other {
			assert.NotEqual(t, a.Name(), b.Name())
		} else {
			assert.Equal(t, a.Name(), b.Name())
		}
	})
}

func TestAt(t *testing.T) {
	p := prompt.PrintOf([]prompt.Part{
		part(0, "system", text("s", 100)),
		{Place: prompt.Place{Field: "tools[0]"}, Text: text("t", 100)},
		part(1, "user", text("u", 100)),
	})
	for offset, want := range map[int]string{
		0: "messages[0].content of system", 105: "messages[0].content of system",
		150: "tools[0]", 250: "messages[1].content of user", 1000: "messages[1].content of user",
	} {
		assert.Equal(t, want, p.At(offset).String())
	}
	assert.Equal(t, "tools", p.At(150).Kind())
	assert.Equal(t, "user content", p.At(250).Kind())
}

func TestConversations(t *testing.T) {
	system, user := part(0, "system", text("s", 1000)), part(1, "user", text("u", 500))
	first := prompt.PrintOf([]prompt.Part{system, user})
	longer := prompt.PrintOf([]prompt.Part{system, user, part(2, "assistant", "done"), part(3, "user", text("more", 300))})
	other := prompt.PrintOf([]prompt.Part{system, part(1, "user", text("v", 500))})

	c := prompt.NewConversations(10)
	assert.True(t, c.Follow("a", first).First)
	turn := c.Follow("a", longer)
	assert.False(t, turn.First)
	assert.Zero(t, turn.Lost, "it only adds to the one before")
	assert.True(t, c.Follow("b", other).First)

	turn = c.Follow("a", other)
	assert.Positive(t, turn.Lost)
	assert.Equal(t, "messages[1].content of user", turn.String())
}

// TestCache has what the engine did with such prompts.
func TestCache(t *testing.T) {
	say := func(system, user string, size int) *prompt.Print {
		return prompt.PrintOf([]prompt.Part{part(0, "system", text(system, 4000)), part(1, "user", text(user, size))})
	}
	one, oneMore := say("one", "a", 1000), say("one", "a", 2000)
	two, twoMore := say("two", "b", 1000), say("two", "b", 2000)

	t.Run("a conversation continues", func(t *testing.T) {
		c := prompt.NewCache(0)
		assert.Zero(t, c.Shared(one))
		c.Read(one, 1200)
		assert.InDelta(t, one.Size(), c.Shared(oneMore), 64)
	})
	t.Run("another takes its slot", func(t *testing.T) {
		c := prompt.NewCache(0)
		c.Read(one, 1200)
		c.Read(two, 1200)
		assert.Zero(t, c.Shared(oneMore))
		assert.InDelta(t, two.Size(), c.Shared(twoMore), 64)
	})
	t.Run("another takes its slot, and there is room beside", func(t *testing.T) {
		c := prompt.NewCache(2400)
		c.Read(one, 1200)
		c.Read(two, 1200)
		assert.InDelta(t, one.Size(), c.Shared(oneMore), 64)
		assert.InDelta(t, two.Size(), c.Shared(twoMore), 64)
	})
	t.Run("one too many", func(t *testing.T) {
		c := prompt.NewCache(2400)
		c.Read(one, 1200)
		c.Read(two, 1200)
		c.Read(say("three", "c", 1000), 1200)
		assert.Zero(t, c.Shared(oneMore), "there is room for two")
		assert.InDelta(t, two.Size(), c.Shared(twoMore), 64)
	})
	t.Run("two sessions of one client", func(t *testing.T) {
		c := prompt.NewCache(10000)
		session, next := say("one", "x", 3000), say("one", "x", 4000)
		c.Read(one, 1200)
		assert.InDelta(t, 4000, c.Shared(session), 64)
		c.Read(session, 1800)
		assert.InDelta(t, one.Size(), c.Shared(oneMore), 64, "the first one was saved")
		c.Read(oneMore, 1500)
		assert.InDelta(t, session.Size(), c.Shared(next), 64)
	})
	t.Run("a conversation has one place, however long it gets", func(t *testing.T) {
		c := prompt.NewCache(8000)
		c.Read(two, 1200)
		for size := 1000; size < 20000; size += 1000 {
			c.Read(say("one", "a", size), 1200+size/4)
		}
		assert.InDelta(t, two.Size(), c.Shared(twoMore), 64)
	})
	t.Run("one that is larger than the cache pushes nothing out", func(t *testing.T) {
		c := prompt.NewCache(1300)
		c.Read(one, 1200)
		c.Read(two, 5000)
		assert.InDelta(t, one.Size(), c.Shared(oneMore), 64)
		c.Read(oneMore, 1300)
		assert.Zero(t, c.Shared(twoMore))
	})
	t.Run("the engine ended", func(t *testing.T) {
		c := prompt.NewCache(1200)
		c.Read(one, 1200)
		c.Forget()
		assert.Zero(t, c.Shared(one))
	})
	t.Run("less room", func(t *testing.T) {
		c := prompt.NewCache(5000)
		c.Read(one, 1200)
		c.Read(two, 1200)
		c.Resize(0)
		assert.Zero(t, c.Shared(one))
		require.NotZero(t, c.Shared(two))
	})
}

// Each completion in an editor leaves its prompt in the cache, and the oldest goes first: too many of them
// push out a conversation, as one that is too long does.
func TestCompletionsThatCrowdAConversation(t *testing.T) {
	completion := func(n int) *prompt.Print {
		p := prompt.PrintOf([]prompt.Part{{Place: prompt.Place{Field: "prompt"}, Text: text(fmt.Sprint("file", n), 2000)}})
		p.Passing = true
		return p
	}
	conversation := prompt.PrintOf([]prompt.Part{part(0, "system", text("one", 4000)), part(1, "user", "hi")})
	next := prompt.PrintOf([]prompt.Part{part(0, "system", text("one", 4000)), part(1, "user", "hi"), part(2, "assistant", "ho"), part(3, "user", "and")})

	synctest.Test(t, func(t *testing.T) {
		c := prompt.NewCache(5000)
		assert.False(t, c.Crowds(completion(0), 600), "there is nothing to push out")
		c.Read(conversation, 1200)
		n := 0
		for ; n < 50 && !c.Crowds(completion(n), 600); n++ {
			c.Read(completion(n), 600)
		}
		assert.Equal(t, 6, n, "1200 and six times 600 fit into 5000")
		assert.InDelta(t, conversation.Size(), c.Shared(next), 64, "it is still there")
		assert.True(t, c.Crowds(completion(100), 600))

		c.Read(next, 1300) // after which it is the one that was used last
		assert.False(t, c.Crowds(completion(100), 600))
		for ; n < 100 && !c.Crowds(completion(n), 600); n++ {
			c.Read(completion(n), 600)
		}
		assert.True(t, c.Crowds(completion(100), 600))
		time.Sleep(time.Hour)
		assert.False(t, c.Crowds(completion(100), 600), "nobody goes on with it")
	})
	t.Run("no room", func(t *testing.T) {
		c := prompt.NewCache(0)
		c.Read(conversation, 1200)
		assert.True(t, c.Crowds(completion(0), 600))
	})
	t.Run("none of the conversations that a longer one replaces", func(t *testing.T) {
		c := prompt.NewCache(5000)
		c.Read(conversation, 1200)
		c.Read(completion(0), 600)
		c.Read(next, 1300)
		assert.False(t, c.Crowds(completion(1), 600))
	})
}
