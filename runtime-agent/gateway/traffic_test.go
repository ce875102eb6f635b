package gateway

import (
	"fmt"
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

// ledger counts what an engine reads.
type ledger struct {
	mutex          sync.Mutex
	read, readings int
}

func (l *ledger) add(r localaitest.Reading) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.read += r.Read
	l.readings++
}

// The first prompts of coding agents, a character for each token, and a few turns of each, all at the
// same time. The longest comes first, and is put back: every answer is right, and the engine reads what
// is new and little else.
func TestTrafficOfAgents(t *testing.T) {
	const cache = 52_000
	var engine ledger
	hold := &holding{entered: make(chan struct{}, 1), release: make(chan struct{})}
	hold.next()
	server := localaitest.NewServer(t, localaitest.Options{
		Models: []localaitest.Model{{Name: appliance.ModelID, Template: localaitest.Relaxed, ContextSize: 1 << 20}}, Keys: []string{testKey},
		Engine: hold, CacheRAM: cache, ReadingSpeed: 40_000, OnRead: engine.add,
	})
	r := startAt(t, server.Address, wide, func(c *Config) { c.CacheTokens = cache })
	var all sync.WaitGroup
	needed, turns := 0, 0
	firsts := []int{11_702, 7160, 6024, 5288, 1922, 1263}
	for i, first := range firsts {
		name := fmt.Sprint("agent ", i)
		messages := fmt.Sprintf(`{"role":"system","content":%q}`, strings.Repeat(name+" ", first/len(name+" ")))
		needed += len(messages)
		const prompts = 4
		turns += prompts
		needed += prompts * len(" wants 0\nSay: answer 0 of agent 0</s>[INST][/INST]")
		all.Go(func() {
			for n := range prompts {
				answer := fmt.Sprintf("answer %d of %s", n, name)
				messages += fmt.Sprintf(`,{"role":"user","content":"wants %d\nSay: %s"}`, n, answer)
				text := read(t, r.ask(t.Context(), t, name, http.MethodPost, appliance.PathChat, `{"stream":true,"messages":[`+messages+`]}`))
				assert.Equal(t, answer, content(t, text))
				assert.True(t, strings.HasSuffix(text, done))
				messages += fmt.Sprintf(`,{"role":"assistant","content":%q}`, answer)
			}
		})
		if i == 0 {
			<-hold.entered
		}
	}
	require.Eventually(t, func() bool { return r.queue.Load().Waiting == len(firsts)-1 }, time.Minute, time.Millisecond)
	close(hold.release)
	all.Wait()
	assert.Equal(t, queue.Load{}, r.queue.Load())
	assert.Greater(t, engine.readings, turns, "some were put back")
	assert.LessOrEqual(t, float64(engine.read), 1.1*float64(needed), "%d readings", engine.readings)
	t.Logf("%d tokens read in %d readings of %d turns, %d new", engine.read, engine.readings, turns, needed)
}
