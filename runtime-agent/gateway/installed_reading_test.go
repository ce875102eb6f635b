package gateway

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/localai"
)

// realRig is a gateway before the real LocalAI, whose backend logs how much of each prompt it reads.
type realRig struct {
	*countingRig
	process *localaitest.Process
}

// realContext is the context of the real engine, in tokens. There is room for eight times that in its cache.
const realContext = 32768

// startReal starts the real engine as the appliance renders it. One thread is fastest where the
// processors are shared with other programs.
func startReal(t *testing.T) *localaitest.Process {
	t.Helper()
	config := localai.Config{ModelID: appliance.ModelID, ContextSize: realContext, Threads: 1, APIKey: testKey, Sampling: appliance.NeutralSampling(), CacheRAM: 4096}
	process := localaitest.InstallReal(t).Start(t, localaitest.Rendered{Environment: config.Environment(), ModelFile: config.ModelFile(), Unit: localai.Unit()})
	process.WaitUntilServing(t)
	return process
}

// before starts a gateway before an engine.
func before(t *testing.T, process *localaitest.Process, edits ...func(*Config)) *realRig {
	t.Helper()
	r := &realRig{countingRig: &countingRig{}, process: process}
	edits = append([]func(*Config){func(c *Config) {
		c.ReadTimeout = 600
		c.ContextSize, c.CacheTokens, c.History = realContext, 8*realContext, rulesOf(localaitest.Devstral)
	}}, edits...)
	r.rig = startAt(t, process.URL, edits...)
	r.Gateway.log = slog.New(slog.NewTextHandler(r, nil))
	return r
}

// promptRead is what llama.cpp b10361 logs when a prompt is read (tools/server: print_timing).
var promptRead = regexp.MustCompile(`prompt eval time = +([\d.]+) ms / +(\d+) tokens`)

// reads returns how many tokens the engine read of each prompt since it started.
func (r *realRig) reads(t testing.TB) []int {
	t.Helper()
	var all []int
	for _, found := range promptRead.FindAllStringSubmatch(r.process.BackendLog(t), -1) {
		tokens, err := strconv.Atoi(found[2])
		require.NoError(t, err)
		all = append(all, tokens)
	}
	return all
}

// turn is one prompt in tokens: how long it is, how many of them the engine read, and how many the
// gateway took for new; and the time until it was answered in a few words.
type turn struct {
	prompt, read, fresh int
	took                time.Duration
}

func (r *realRig) turn(t testing.TB, client string, tools []any, messages ...chat.Message) (turn, string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"stream": true, "max_tokens": 3, "messages": messages, "tools": tools})
	require.NoError(t, err)
	before, began := len(r.reads(t)), time.Now()
	text := read(t, r.ask(t.Context(), t, client, http.MethodPost, appliance.PathChat, string(body)))
	took := time.Since(began)
	require.True(t, strings.HasSuffix(text, done), text)
	require.Eventually(t, func() bool { return len(r.reads(t)) == before+1 }, soon, time.Millisecond)
	return turn{r.number(t, "tokens"), r.reads(t)[before], r.number(t, "new"), took}, content(t, text)
}

// essay returns a text of as many words, other ones for each seed.
func essay(seed uint64, words int) string {
	random, all := rand.New(rand.NewPCG(seed, 0)), strings.Fields(longText+"while rain falls on green hills and nobody sees it")
	text := make([]string, words)
	for i := range text {
		text[i] = all[random.IntN(len(all))]
	}
	return strings.Join(text, " ")
}

func saying(role, text string) chat.Message { return chat.Message{Role: role, Content: &text} }

// Conversations that take turns, with short prompts of others between them, are read once.
func TestTheRealEngineReadsConversationsOnce(t *testing.T) {
	r := before(t, startReal(t))
	for name, two := range map[string]struct {
		clients [2]string
		systems [2]uint64
	}{
		"of two clients": {[2]string{"a", "b"}, [2]uint64{1, 2}},
		"of one client":  {[2]string{"c", "c"}, [2]uint64{3, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			var messages [2][]chat.Message
			var first, all turn
			for n := range 4 {
				for i, client := range two.clients {
					if n == 0 {
						messages[i] = []chat.Message{saying(chat.System, essay(two.systems[i], 2700))}
					}
					words := map[bool]int{true: 1600, false: 60}[n == 0]
					messages[i] = append(messages[i], saying(chat.User, essay(two.systems[i]*100+uint64(10*n+i), words)))
					got, answer := r.turn(t, client, nil, messages[i]...)
					messages[i] = append(messages[i], saying(chat.Assistant, answer))
					t.Logf("turn %d of %d: %+v", n, i, got)
					all.read, all.fresh = all.read+got.read, all.fresh+got.fresh
					switch {
					case n > 0:
						assert.LessOrEqual(t, got.read, first.read/10)
					case i == 0:
						first = got
						require.Greater(t, first.read, 4000)
					}
				}
				besides, _ := r.turn(t, two.clients[0], nil, saying(chat.System, "You are a title generator."), saying(chat.User, essay(two.systems[0]*1000+uint64(n), 300)))
				t.Logf("besides: %+v", besides)
			}
			assert.InEpsilon(t, all.read, all.fresh, 0.1)
		})
	}
}

// toolsOf returns the tools of an agent, of some 200 tokens each.
func toolsOf(seed uint64, n int) []any {
	var tools []any
	for i := range n {
		name := fmt.Sprintf("tool_%d", i)
		tools = append(tools, map[string]any{"type": "function", "function": map[string]any{
			"name": name, "description": essay(seed+uint64(i), 150),
			"parameters": map[string]any{"type": "object", "required": []string{"path"}, "properties": map[string]any{
				"path": map[string]any{"type": "string", "description": essay(seed+uint64(i), 20)},
			}},
		}})
	}
	return tools
}

// Turns with tool calls are read once: hardly more than what each adds.
func TestTheRealEngineReadsToolCallsOnce(t *testing.T) {
	r := before(t, startReal(t))
	tools := toolsOf(1, 12)
	messages := []chat.Message{saying(chat.System, essay(2, 1500)), saying(chat.User, essay(3, 200))}
	previous, _ := r.turn(t, "a", tools, messages...)
	t.Logf("first: %+v", previous)
	require.Greater(t, previous.read, 4000)
	added, read, fresh := 0, 0, 0
	for n, words := range []int{12, 400, 30, 120, 9, 1500, 60, 25, 700, 5} {
		called := chat.ToolCall{ID: fmt.Sprintf("call%05d", n), Type: "function", Function: chat.Function{Name: "tool_3", Arguments: fmt.Sprintf(`{"path": "src/part_%d.go"}`, n)}}
		result := saying(chat.Tool, essay(uint64(100+n), words))
		result.ToolCallID = called.ID
		messages = append(messages, chat.Message{Role: chat.Assistant, ToolCalls: []chat.ToolCall{called}}, result)
		got, _ := r.turn(t, "a", tools, messages...)
		t.Logf("result of %d words: %+v", words, got)
		added, read, fresh = added+got.prompt-previous.prompt, read+got.read, fresh+got.fresh
		previous = got
	}
	assert.LessOrEqual(t, float64(read), 1.2*float64(added))
	assert.InEpsilon(t, read, fresh, 0.1)
}

// stoppedAt is what llama.cpp b10361 logs when it is done with a prompt, or was told to stop (tools/server:
// server_slot::release): how many tokens of the prompt and its answer it has.
var stoppedAt = regexp.MustCompile(`stop processing: n_tokens = +(\d+)`)

// A prompt whose turn is taken back is read on from where the engine stopped.
func TestTheRealEngineReadsOnWhatWasTakenBack(t *testing.T) {
	r := before(t, startReal(t))
	ask := func(client, text string) string {
		body := fmt.Sprintf(`{"stream":true,"max_tokens":3,"messages":[{"role":"user","content":%q}]}`, text)
		return read(t, r.ask(t.Context(), t, client, http.MethodPost, appliance.PathChat, body))
	}
	long := make(chan string)
	go func() { long <- ask("a", essay(1, 12000)) }()
	require.Eventually(t, func() bool { return strings.Contains(r.process.BackendLog(t), "prompt processing, n_tokens") }, time.Minute, time.Millisecond)
	came := time.Now()
	assert.True(t, strings.HasSuffix(ask("b", essay(2, 100)), done))
	t.Logf("the short prompt was answered after %v", time.Since(came))
	assert.True(t, strings.HasSuffix(<-long, done))
	require.Eventually(t, func() bool { return len(r.reads(t)) == 2 }, soon, time.Millisecond)
	kept, err := strconv.Atoi(stoppedAt.FindStringSubmatch(r.process.BackendLog(t))[1])
	require.NoError(t, err)
	rest := r.reads(t)[1]
	t.Logf("%d tokens were read, then %d", kept, rest)
	assert.Less(t, kept, 12000, "it was stopped")
	assert.Equal(t, r.number(t, "tokens"), kept+rest)
}

// After a restart the first turn of a session has hardly anything to read if the engine was warmed up, and
// neither has one in another folder.
func TestTheRealEngineIsWarmedUp(t *testing.T) {
	process := startReal(t)
	session := func(r *realRig, folder string) turn {
		t.Helper()
		system := "You are Cline, and obey.\n\nYou work in /home/" + folder + ".\n\n" + essay(1, 2000)
		got, _ := r.turn(t, "a", toolsOf(2, 10), saying(chat.System, system), saying(chat.User, "List the files of "+folder+"."))
		return got
	}
	plain := before(t, process)
	for _, folder := range []string{"one", "two"} {
		got := session(plain, folder)
		t.Logf("as it comes, folder %s: %+v", folder, got)
		assert.Greater(t, got.read, got.prompt*9/10)
	}
	process.Restart(t)
	process.WaitUntilServing(t)

	file := filepath.Join(t.TempDir(), "beginnings.json")
	warm := func(c *Config) { c.WarmUp, c.StablePrompts, c.Beginnings = true, true, file }
	learning := before(t, process, warm)
	stop := learning.keepWarm(t)
	for _, folder := range []string{"one", "two", "three"} {
		got := session(learning, folder)
		t.Logf("stable prompts, folder %s: %+v", folder, got)
		if folder == "three" {
			assert.Less(t, got.read, got.prompt/20)
		}
	}
	require.Eventually(t, func() bool { return learning.current.Load().kinds.Sessions() > 0 }, soon, time.Millisecond)
	stop()
	process.Restart(t)
	process.WaitUntilServing(t)

	warmed := before(t, process, warm)
	began := time.Now()
	warmed.keepWarm(t)
	require.Eventually(t, func() bool { return strings.Contains(warmed.logged(), "the engine has read what prompts begin with") }, 2*time.Minute, time.Millisecond)
	t.Logf("warmed up in %v", time.Since(began))
	got := session(warmed, "four")
	t.Logf("after a restart, warmed up: %+v", got)
	assert.Less(t, got.read, got.prompt/20)
}

// An answer does not depend on a text that another prompt had before the same words.
func TestTheRealEngineForgetsWhatIsNotAsked(t *testing.T) {
	process := startReal(t)
	ask := func(system string) string {
		t.Helper()
		body := fmt.Sprintf(`{"stream":true,"max_tokens":20,"temperature":0,"messages":[{"role":"system","content":%q},{"role":"user","content":"Go on."}]}`, system)
		return content(t, read(t, before(t, process).ask(t.Context(), t, "a", http.MethodPost, appliance.PathChat, body)))
	}
	rest := essay(1, 900)
	alone := ask("Obey. " + rest)
	process.Restart(t)
	process.WaitUntilServing(t)
	ask("Obey. " + essay(2, 300) + " " + rest)
	assert.Equal(t, alone, ask("Obey. "+rest))
}
