package gateway

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/beginning"
)

const soon = 10 * time.Second

// agentOf is a coding agent: its requests have the same system prompt, but for the folder, and tools.
type agentOf struct{ *countingRig }

// session sends the first prompt of a session in a folder, and returns how many tokens it has and how
// many of them the engine read.
func (a agentOf) session(t *testing.T, folder string) (tokens, read int) {
	t.Helper()
	a.turn(t, opening(folder))
	last := a.last(t)
	return last.Prompt, last.Read
}

// opening is the first prompt of a session.
func opening(folder string) string {
	system := "You are Cline, and obey.\n\nYou work in /home/" + folder + ".\n\n" + strings.Repeat(longText, 100)
	return fmt.Sprintf(`{"role":"system","content":%q},{"role":"user","content":"Say: Hello %s."}`, system, folder)
}

func (a agentOf) turn(t *testing.T, messages string) {
	t.Helper()
	tool := fmt.Sprintf(`{"type":"function","function":{"name":"f","description":%q}}`, strings.Repeat(longText, 200))
	response := a.post(t, appliance.PathChat, `{"messages":[`+messages+`],"tools":[`+tool+`]}`)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Contains(t, read(t, response), "Hello")
}

// keepWarm does what Serve does, until the test ends or stops it.
func (r *rig) keepWarm(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { r.keepStored(ctx) })
	ended.Go(func() { r.Gateway.keepWarm(ctx) })
	stop = func() {
		cancel()
		ended.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// With stable prompts a session in another folder has hardly more to read than what differs, and the
// model is told all the same.
func TestStablePrompts(t *testing.T) {
	a := agentOf{startCounting(t, func(c *Config) { c.StablePrompts = true })}
	tokens, read := a.session(t, "one")
	assert.Equal(t, tokens, read)
	a.session(t, "two")
	for _, folder := range []string{"three", "one/more"} {
		tokens, read = a.session(t, folder)
		assert.Less(t, read, tokens/20)
	}

	messages := opening("three")
	for range 3 {
		messages += `,{"role":"assistant","content":"Hello three."},{"role":"user","content":"Say: Hello again."}`
		a.turn(t, messages)
		assert.Less(t, a.last(t).Read, 100, "the next turn goes on from this one")
	}
	assert.NotContains(t, a.logged(), "parted=")

	plain := agentOf{startCounting(t)}
	for _, folder := range []string{"one", "two"} {
		tokens, read = plain.session(t, folder)
	}
	assert.Greater(t, read, tokens*9/10, "without stable prompts nearly all is read again")
}

// A new configuration, as with another key, changes no conversation that runs.
func TestStablePromptsOverAReload(t *testing.T) {
	a := agentOf{startCounting(t, func(c *Config) { c.StablePrompts = true })}
	for _, folder := range []string{"one", "two"} {
		a.session(t, folder)
	}
	next := *a.current.Load().Config
	next.Keys = []string{"alice"}
	a.Configure(&next, testKey)
	tokens, read := a.session(t, "three")
	assert.Less(t, read, tokens/20)
}

// An engine that has started reads what prompts begin with before anybody asks.
func TestWarmUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "beginnings.json")
	warm := func(c *Config) { c.WarmUp, c.StablePrompts, c.Beginnings = true, true, file }
	first := agentOf{startCounting(t, warm)}
	stop := first.keepWarm(t)
	for _, folder := range []string{"one", "two"} {
		first.session(t, folder)
	}
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(file)
		return strings.Contains(string(text), "You are Cline")
	}, soon, 10*time.Millisecond)
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, private := range []string{"/home/", "Hello"} {
		assert.NotContains(t, string(text), private)
	}

	// Gateway and engine start anew.
	stop()
	second := agentOf{startCounting(t, warm)}
	stop = second.keepWarm(t)
	require.Eventually(t, func() bool { return strings.Contains(second.logged(), "the engine has read what prompts begin with") }, time.Minute, 10*time.Millisecond)
	tokens, read := second.session(t, "three")
	assert.Less(t, read, tokens/20)

	// Another model has nothing of it.
	other := startCounting(t, warm, func(c *Config) { c.Created++ })
	assert.Empty(t, other.current.Load().kinds.Beginnings())

	stop()
	// Switched off, nothing is stored, and nothing is learned.
	off := agentOf{startCounting(t, func(c *Config) { c.Beginnings, c.StablePrompts = file, true })}
	off.keepWarm(t)
	for _, folder := range []string{"four", "five"} {
		off.session(t, folder)
	}
	left, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// keep stores beginnings for the next gateway.
func (r *rig) keep(all []beginning.Beginning) {
	known := &state{Config: r.current.Load().Config, engine: r.current.Load().engine, kinds: beginning.New(false, all)}
	r.current.Store(known)
	r.save(known)
}

// What is read ahead lets whoever asks go first, and is read on afterwards.
func TestWarmUpGivesWay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "beginnings.json")
	engine := newReader("You are Cline", says(role, delta("a"), stopped, done))
	warm := func(c *Config) { c.ContextSize, c.WarmUp, c.Beginnings = 1<<20, true, file }
	before := start(t, engine.serve, warm)
	before.keep([]beginning.Beginning{{Program: "Cline", System: "You are Cline. " + long}})

	r := start(t, engine.serve, warm)
	r.keepWarm(t)
	assert.Contains(t, <-engine.asked, "You are Cline")
	assert.Contains(t, read(t, r.post(t, appliance.PathChat, chatStream)), done)
	assert.Contains(t, <-engine.stopped, "You are Cline")
	assert.Contains(t, <-engine.asked, `"hi"`)
	assert.Contains(t, <-engine.asked, "You are Cline")
}

// No more is read ahead than the engine keeps.
func TestWarmUpFitsIntoTheCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "beginnings.json")
	warm := func(room int) func(*Config) {
		return func(c *Config) { c.WarmUp, c.Beginnings, c.CacheTokens = true, file, room }
	}
	var kept []beginning.Beginning
	for i := range 4 {
		kept = append(kept, beginning.Beginning{Program: fmt.Sprint(i), System: strings.Repeat("words ", 700)})
	}
	before := startCounting(t, warm(0))
	before.keep(kept)
	for room, want := range map[int]int{0: 1, 2500: 2} {
		r := startCounting(t, warm(room))
		r.warmUp(t.Context(), r.current.Load())
		assert.Len(t, r.reads, want, "a cache of %d tokens", room)
	}
}

// A file that cannot be read, and a folder that cannot be written, are no reason not to serve.
func TestBeginningsThatCannotBeKept(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "beginnings.json")
	require.NoError(t, os.WriteFile(file, []byte("no JSON"), 0o600))
	a := agentOf{startCounting(t, func(c *Config) { c.WarmUp, c.Beginnings = true, file })}
	a.keepWarm(t)
	require.NoError(t, os.RemoveAll(dir))
	for _, folder := range []string{"one", "two"} {
		a.session(t, folder)
	}
	assert.Eventually(t, func() bool { return strings.Contains(a.logged(), "is not stored") }, soon, 10*time.Millisecond)
}
