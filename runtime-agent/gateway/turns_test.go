package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/queue"
)

// long is a prompt that takes minutes to read, at the pace that is usual.
var long = strings.Repeat("some words of a long prompt, ", 2000)

func asking(text string) string {
	return fmt.Sprintf(`{"messages":[{"role":"user","content":%q}],"stream":true}`, text)
}

// reader is an engine whose first question with a mark is read for ever. It tells what it is asked, and
// when it is told to stop.
type reader struct {
	mark           string
	asked, stopped chan string
	then           http.HandlerFunc
	mutex          sync.Mutex
	seen           []string
}

func newReader(mark string, then http.HandlerFunc) *reader {
	return &reader{mark: mark, asked: make(chan string, 16), stopped: make(chan string, 16), then: then}
}

func (e *reader) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	first := e.remember(string(body)) == 1
	e.asked <- string(body)
	if first && strings.Contains(string(body), e.mark) {
		<-r.Context().Done()
		e.stopped <- string(body)
		return
	}
	e.then(w, r)
}

// remember counts how often a question was asked.
func (e *reader) remember(body string) int {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.seen = append(e.seen, body)
	n := 0
	for _, one := range e.seen {
		if one == body {
			n++
		}
	}
	return n
}

// The next turn of a conversation need not wait for the first prompt of a stranger, which is read on
// afterwards, from where it was, and answered in full.
func TestAFirstPromptLetsANextTurnGoFirst(t *testing.T) {
	var mutex sync.Mutex
	var readings []localaitest.Reading
	hold := &holding{entered: make(chan struct{}, 1), release: make(chan struct{})}
	server := localaitest.NewServer(t, localaitest.Options{
		Models: []localaitest.Model{{Name: appliance.ModelID, Template: localaitest.Relaxed, ContextSize: 1 << 20}}, Keys: []string{testKey},
		Engine: hold, CacheRAM: 1 << 20, ReadingSpeed: len(long),
		OnRead: func(r localaitest.Reading) {
			mutex.Lock()
			defer mutex.Unlock()
			readings = append(readings, r)
		},
	})
	r := startAt(t, server.Address, func(c *Config) { c.ContextSize = 1 << 20 })
	const opening = `{"role":"system","content":"Be brief."},{"role":"user","content":"Say: one"}`
	turn := func(messages string) string {
		return read(t, r.ask(t.Context(), t, "agent", http.MethodPost, appliance.PathChat, `{"stream":true,"messages":[`+messages+`]}`))
	}
	assert.Contains(t, turn(opening), `"content":"one"`)

	hold.next()
	stranger := r.ask(t.Context(), t, "stranger", http.MethodPost, appliance.PathChat, asking(long+"\nSay: all of it"))
	<-hold.entered
	next := make(chan string)
	go func() {
		next <- turn(opening + `,{"role":"assistant","content":"one"},{"role":"user","content":"Say: two"}`)
	}()
	lines := bufio.NewReader(stranger.Body)
	for line := ""; line != ": waiting, place 1 in the queue\n"; {
		var err error
		line, err = lines.ReadString('\n')
		require.NoError(t, err)
	}
	close(hold.release)
	assert.Contains(t, <-next, `"content":"two"`)
	text, err := io.ReadAll(lines)
	require.NoError(t, err)
	assert.Equal(t, "all of it", content(t, string(text)))
	assert.Equal(t, queue.Load{}, r.queue.Load())

	mutex.Lock()
	defer mutex.Unlock()
	require.Len(t, readings, 4)
	first, before, second, after := readings[0], readings[1], readings[2], readings[3]
	assert.Less(t, before.Read, before.Prompt, "it was taken back")
	assert.Equal(t, before.Prompt, after.Prompt)
	assert.Less(t, second.Prompt, 300, "the next turn came between")
	total, needed := 0, first.Prompt+(second.Prompt-first.Prompt)+after.Prompt
	for _, one := range readings {
		total += one.Read
	}
	assert.LessOrEqual(t, float64(total), 1.1*float64(needed))
}

// holding is a backend that stands still in the middle of a prompt until it is released.
type holding struct {
	mutex            sync.Mutex
	armed            bool
	entered, release chan struct{}
}

func (h *holding) next() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.armed = true
}

func (h *holding) Check(localaitest.Model) error {
	h.mutex.Lock()
	armed := h.armed
	h.armed = false
	h.mutex.Unlock()
	if armed {
		h.entered <- struct{}{}
		<-h.release
	}
	return nil
}

func (*holding) Backends() []string                            { return nil }
func (*holding) Load(context.Context, localaitest.Model) error { return nil }
func (*holding) Tokenize(localaitest.Model, int) error         { return nil }
func (*holding) Unload(localaitest.Model)                      {}

// content adds up the text of a stream.
func content(t testing.TB, stream string) string {
	t.Helper()
	var text strings.Builder
	for line := range strings.Lines(stream) {
		data, found := strings.CutPrefix(line, "data: {")
		if !found {
			continue
		}
		var said struct {
			Choices []struct {
				Delta struct{ Content string }
			}
		}
		require.NoError(t, json.Unmarshal([]byte("{"+data), &said))
		for _, choice := range said.Choices {
			text.WriteString(choice.Delta.Content)
		}
	}
	return text.String()
}

// Whatever API it came through, a request that is put back hears signs of life only, is asked in the
// same words, and is answered as if nothing had been.
func TestWhoIsPutBackIsAnswered(t *testing.T) {
	for name, tt := range map[string]struct {
		path, body, begins, ends string
	}{
		"chat":            {appliance.PathChat, asking(long), "", done},
		"chat, whole":     {appliance.PathChat, fmt.Sprintf(`{"messages":[{"role":"user","content":%q}]}`, long), `"object":"chat.completion"`, `"content":"a"`},
		"completions":     {appliance.PathCompletions, fmt.Sprintf(`{"prompt":%q,"stream":true}`, long), "", done},
		"messages":        {appliance.PathMessages, fmt.Sprintf(`{"max_tokens":9,"messages":[{"role":"user","content":%q}],"stream":true}`, long), "event: message_start", "event: message_stop"},
		"responses":       {appliance.PathResponses, fmt.Sprintf(`{"input":%q,"stream":true}`, long), "event: response.created", "event: response.completed"},
		"responses whole": {appliance.PathResponses, fmt.Sprintf(`{"input":%q}`, long), `"object":"response"`, `"text":"a"`},
	} {
		t.Run(name, func(t *testing.T) {
			engine := newReader("long prompt", says(role, delta("a"), stopped, usage(10, 1), done))
			r := start(t, engine.serve, wide)
			response := r.post(t, tt.path, tt.body)
			first := <-engine.asked
			assert.True(t, strings.HasSuffix(read(t, r.ask(t.Context(), t, "other", http.MethodPost, appliance.PathChat, chatStream)), delta("a")+stopped+done))
			assert.Equal(t, first, <-engine.stopped)
			assert.Contains(t, <-engine.asked, `"hi"`)
			assert.Equal(t, first, <-engine.asked)
			text := read(t, response)
			if tt.begins != "" {
				assert.Equal(t, 1, strings.Count(text, tt.begins), text)
			}
			assert.Equal(t, 1, strings.Count(text, tt.ends), text)
			assert.Equal(t, queue.Load{}, r.queue.Load())
		})
	}
}

// wide has the gateway take long prompts.
func wide(c *Config) { c.ContextSize = 1 << 20 }

// An agent's request for a title lets everybody go first, who asks for more, too.
func TestATitleLetsEverybodyGoFirst(t *testing.T) {
	engine := newReader("title", says(role, delta("a"), stopped, done))
	r := start(t, engine.serve, wide)
	title := r.postAs(t, openCode, appliance.PathChat, fmt.Sprintf(`{"messages":[{"role":"system","content":"You are a title generator."},{"role":"user","content":"title of: %s"}],"stream":true}`, long[:4000]))
	assert.Contains(t, <-engine.asked, "title of: ")
	assert.Contains(t, read(t, r.post(t, appliance.PathChat, asking(long))), done)
	assert.Contains(t, <-engine.stopped, "title of: ")
	assert.Contains(t, read(t, title), delta("a"))
}

// putBack returns a gateway with a request that was put back, for one that is answered when it is
// released, and the two streams.
func putBack(ctx context.Context, t *testing.T, engine *reader) (r *rig, waits, runs *http.Response) {
	t.Helper()
	r = start(t, engine.serve, wide)
	waits = r.ask(ctx, t, "a", http.MethodPost, appliance.PathChat, asking(long))
	<-engine.asked
	runs = r.ask(t.Context(), t, "b", http.MethodPost, appliance.PathChat, chatStream)
	<-engine.stopped
	assert.Contains(t, <-engine.asked, `"hi"`)
	require.Equal(t, queue.Load{Waiting: 1, Running: 1}, r.queue.Load())
	return r, waits, runs
}

// Who leaves while it is put back is not asked for again.
func TestWhoLeavesWhileItIsPutBack(t *testing.T) {
	release := make(chan struct{})
	engine := newReader("long prompt", held(release, says(role, delta("a"), stopped, done)))
	ctx, leave := context.WithCancel(t.Context())
	r, _, runs := putBack(ctx, t, engine)
	leave()
	require.Eventually(t, func() bool { return r.queue.Load() == queue.Load{Running: 1} }, time.Minute, time.Millisecond)
	close(release)
	assert.Contains(t, read(t, runs), done)
	assert.Empty(t, engine.asked)
}

// An error that the second question meets is the client's.
func TestAnEngineThatDiesWhileOneIsPutBack(t *testing.T) {
	release := make(chan struct{})
	engine := newReader("long prompt", nil)
	engine.then = held(release, func(w http.ResponseWriter, r *http.Request) {
		if engine.remember("") > 1 {
			panic(http.ErrAbortHandler)
		}
		says(role, delta("a"), stopped, done)(w, r)
	})
	_, waits, runs := putBack(t.Context(), t, engine)
	close(release)
	assert.Contains(t, read(t, runs), delta("a"))
	assert.Contains(t, read(t, waits), "the model is loading or restarting")
}

// A stop refuses what is put back, as all that waits, and lets the other answer end.
func TestStopWhileOneIsPutBack(t *testing.T) {
	release := make(chan struct{})
	engine := newReader("long prompt", held(release, says(role, delta("a"), stopped, done)))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := start(t, engine.serve, wide)
	r.url = "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx, listener) }()
	waits := r.ask(t.Context(), t, "a", http.MethodPost, appliance.PathChat, asking(long))
	<-engine.asked
	runs := r.ask(t.Context(), t, "b", http.MethodPost, appliance.PathChat, chatStream)
	<-engine.stopped
	<-engine.asked
	stop()
	assert.Contains(t, read(t, waits), "the model is loading or restarting")
	close(release)
	assert.True(t, strings.HasSuffix(read(t, runs), delta("a")+stopped+done))
	require.NoError(t, <-ended)
}
