package localaitest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func alive() error { return nil }

func TestReadingSkipsWhatTheSlotKnows(t *testing.T) {
	s := &slot{}
	for _, c := range []struct {
		prompt string
		want   int
	}{
		{"a long prompt", 13}, {"a long prompt", 1}, {"a long prompt and more", 9}, {"a long", 1}, {"a short one", 9}, {"", 0},
	} {
		read, err := s.read(t.Context(), c.prompt, 0, alive)
		require.NoError(t, err)
		assert.Equal(t, c.want, read, c.prompt)
	}
}

func TestReadingTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, prompt := &slot{}, strings.Repeat("word ", 200)
		start := time.Now()
		read, err := s.read(t.Context(), prompt, 100, alive)
		require.NoError(t, err)
		assert.Equal(t, 1000, read)
		assert.Equal(t, 10*time.Second, time.Since(start))

		start = time.Now()
		read, err = s.read(t.Context(), prompt+"more", 1, alive)
		require.NoError(t, err)
		assert.Equal(t, 4, read)
		assert.Equal(t, 4*time.Second, time.Since(start))
	})
}

// Who comes back after leaving in the middle has the rest read only.
func TestReadingThatIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, prompt := &slot{}, strings.Repeat("word ", 200)
		ctx, leave := context.WithTimeout(t.Context(), 4*time.Second+time.Millisecond)
		defer leave()
		read, err := s.read(ctx, prompt, 100, alive)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 400, read)
		read, err = s.read(t.Context(), prompt, 100, alive)
		require.NoError(t, err)
		assert.Equal(t, 600, read)
	})
	died := errors.New("died")
	s := &slot{cached: []byte("word")}
	_, err := s.read(t.Context(), "word word", 1000, func() error { return died })
	require.ErrorIs(t, err, died)
	read, err := s.read(t.Context(), "word word", 0, alive)
	require.NoError(t, err)
	assert.Equal(t, 9, read, "a new backend knows nothing")
}

// Of a conversation that goes on, the last answer is in the slot too. A call is not, because of the
// blank that LocalAI puts before it.
func TestWhatEachTurnReads(t *testing.T) {
	const (
		first  = `{"role":"system","content":"Be brief."},{"role":"user","content":"Say: a rather long answer"}`
		second = first + `,{"role":"assistant","content":"a rather long answer"},{"role":"user","content":"Call: ls {\"path\":\"/\"}"}`
		third  = second + `,{"role":"assistant","content":null,"tool_calls":[{"id":"x","type":"function","function":{"name":"ls","arguments":"{\"path\":\"/\"}"}}]},{"role":"tool","tool_call_id":"x","content":"a.go"}`
		other  = `{"role":"system","content":"Be rude."},{"role":"user","content":"hi"}`
	)
	for name, c := range map[string]struct {
		template Template
		// read is the end of each prompt that is read, all of the first one.
		read [4]string
	}{
		"Devstral": {Devstral, [4]string{
			"", `</s>[INST]Call: ls {"path":"/"}[/INST]`, ` [TOOL_CALLS]ls[ARGS]{"path": "/"}</s>[TOOL_RESULTS]a.go[/TOOL_RESULTS]`,
			"rude.[/SYSTEM_PROMPT][AVAILABLE_TOOLS]" + lsInPrompt + "[/AVAILABLE_TOOLS][INST]hi[/INST]",
		}},
		"ChatML": {ChatML, [4]string{
			"", `<|im_end|>` + "\n<|im_start|>user\n" + `Call: ls {"path":"/"}<|im_end|>` + "\n<|im_start|>assistant\n",
			` <tool_call>` + "\n" + `{"name": "ls", "arguments": {"path": "/"}}` + "\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\na.go\n</tool_response><|im_end|>\n<|im_start|>assistant\n",
			"rude.\n\n<tools>\n" + lsInPrompt + "\n</tools><|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var readings []Reading
			model := tiny
			model.Template = c.template
			server := NewServer(t, Options{Models: []Model{model}, OnRead: func(r Reading) { readings = append(readings, r) }})
			for i, messages := range []string{first, second, third, other} {
				status, answer := ask(t, server, `{"messages":[`+messages+`],`+lsTool+`}`)
				require.Equal(t, http.StatusOK, status, answer)
				assert.Equal(t, "tiny", readings[i].Model)
				want := len(c.read[i])
				if i == 0 {
					want = readings[i].Prompt
				}
				assert.Equal(t, want, readings[i].Read, "request %d", i)
			}
		})
	}
}

const lsInPrompt = `[{"type": "function", "function": {"name": "ls", "description": "", "parameters": {"properties": {"path": {"type": "string"}}, "type": "object"}}}]`

func TestNemoReadsAnewFromTheLastUserMessage(t *testing.T) {
	var readings []Reading
	model := tiny
	model.Template = MistralNemo
	server := NewServer(t, Options{Models: []Model{model}, OnRead: func(r Reading) { readings = append(readings, r) }})
	for _, messages := range []string{
		`{"role":"system","content":"Be brief."},{"role":"user","content":"Say: a"}`,
		`{"role":"system","content":"Be brief."},{"role":"user","content":"Say: a"},{"role":"assistant","content":"a"},{"role":"user","content":"Say: b"}`,
	} {
		status, answer := ask(t, server, `{"messages":[`+messages+`],`+lsTool+`}`)
		require.Equal(t, http.StatusOK, status, answer)
	}
	assert.Equal(t, len(begin)+len("["), readings[1].Prompt-readings[1].Read)
}

// A backend that ends takes what it knew with it.
func TestANewBackendReadsEverything(t *testing.T) {
	var readings []Reading
	engine := &dying{answers: 1 + 1}
	server := NewServer(t, Options{Models: []Model{tiny}, Engine: engine, OnRead: func(r Reading) { readings = append(readings, r) }})
	hello := func() int {
		status, _ := ask(t, server, `{"max_tokens":1,"messages":[{"role":"user","content":"hello"}]}`)
		return status
	}
	assert.Equal(t, http.StatusOK, hello())
	assert.Equal(t, http.StatusOK, hello())
	assert.Equal(t, http.StatusInternalServerError, hello())
	engine.answers = 2
	assert.Equal(t, http.StatusOK, hello())
	shutdown := transcript{method: http.MethodPost, path: "/backend/shutdown", header: http.Header{}, requestBody: `{"model":"tiny"}`}
	response, answer := play(t, server, shutdown)
	require.Equal(t, http.StatusOK, response.StatusCode, answer)
	assert.Equal(t, http.StatusOK, hello())
	var read []int
	for _, r := range readings {
		read = append(read, r.Read)
	}
	assert.Equal(t, []int{20, 1, 1, 20, 20}, read)
}

// counting is an engine whose tokens are permitted one by one; it counts the answers that are
// computed at once.
type counting struct {
	alwaysReady
	tokens  chan struct{}
	running *atomic.Int32
	most    *atomic.Int32
}

func (c counting) Check(Model) error {
	if n := c.running.Add(1); n > c.most.Load() {
		c.most.Store(n)
	}
	defer c.running.Add(-1)
	<-c.tokens
	return nil
}

func TestAnswersAreComputedOneAtATime(t *testing.T) {
	engine := counting{tokens: make(chan struct{}), running: &atomic.Int32{}, most: &atomic.Int32{}}
	server := NewServer(t, Options{Models: []Model{tiny}, Engine: engine})
	const streams, length = 3, 4
	var ended atomic.Int32
	for range streams {
		go func() {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+pathChat,
				strings.NewReader(`{"stream":true,"max_tokens":4,"messages":[{"role":"user","content":"hi"}]}`))
			if err != nil {
				return
			}
			request.Header.Set("Content-Type", "application/json")
			if response, err := http.DefaultClient.Do(request); err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				ended.Add(1)
			}
		}()
	}
	for range streams * length {
		send(t, engine.tokens)
	}
	require.Eventually(t, func() bool { return ended.Load() == streams }, waitLimit, tick)
	assert.Equal(t, int32(1), engine.most.Load())
}

// Who leaves frees the slot, or the place before it.
func TestAClientThatLeavesFreesTheSlot(t *testing.T) {
	server := NewServer(t, Options{Models: []Model{tiny}, TokenDelay: time.Hour})
	slot := server.http.Handler.(*Handler).slots["tiny"]
	running := func(n int) func() bool {
		return func() bool { return server.http.Handler.(*Handler).admission.count(tiny) == n }
	}
	for _, stream := range []string{"true", "false"} {
		var leave [2]context.CancelFunc
		for i := range leave {
			ctx, cancel := context.WithCancel(t.Context())
			leave[i] = cancel
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+pathChat,
				strings.NewReader(`{"stream":`+stream+`,"messages":[{"role":"user","content":"hi"}]}`))
			require.NoError(t, err)
			request.Header.Set("Content-Type", "application/json")
			go func() {
				if response, err := http.DefaultClient.Do(request); err == nil {
					response.Body.Close()
				}
			}()
			require.Eventually(t, running(i+1), waitLimit, tick)
			require.Eventually(t, func() bool { return len(slot.taken) == 1 }, waitLimit, tick)
		}
		leave[0]()
		require.Eventually(t, running(1), waitLimit, tick)
		require.Eventually(t, func() bool { return len(slot.taken) == 1 }, waitLimit, tick, "the next one has it")
		leave[1]()
		require.Eventually(t, running(0), waitLimit, tick)
		assert.Empty(t, slot.taken)
	}
}
