package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

// countingRig is a gateway before the stand-in, with what that has read of each prompt, and its own log.
type countingRig struct {
	*rig
	mutex sync.Mutex
	reads []localaitest.Reading
	log   bytes.Buffer
}

// Write is for the log, to which several requests may write.
func (r *countingRig) Write(line []byte) (int, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.log.Write(line)
}

func (r *countingRig) logged() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.log.String()
}

// last returns what the engine has read last.
func (r *countingRig) last(t testing.TB) localaitest.Reading {
	t.Helper()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	require.NotEmpty(t, r.reads)
	return r.reads[len(r.reads)-1]
}

func startCounting(t testing.TB, edits ...func(*Config)) *countingRig {
	t.Helper()
	r := &countingRig{}
	edits = append([]func(*Config){func(c *Config) { c.ContextSize, c.History = 1<<20, rulesOf(localaitest.Devstral) }}, edits...)
	config := testConfig("")
	for _, edit := range edits {
		edit(config)
	}
	handler := localaitest.NewHandler(localaitest.Options{
		CacheRAM: config.CacheTokens,
		Models:   []localaitest.Model{{Name: appliance.ModelID, ContextSize: 1 << 20, Template: localaitest.Devstral}},
		Keys:     []string{testKey},
		OnRead: func(reading localaitest.Reading) {
			r.mutex.Lock()
			defer r.mutex.Unlock()
			r.reads = append(r.reads, reading)
		},
	})
	r.rig = start(t, handler.ServeHTTP, edits...)
	r.Gateway.log = slog.New(slog.NewTextHandler(r, nil))
	return r
}

// all returns a field of each line of the log that has it.
func (r *countingRig) all(field string) []string {
	var values []string
	for _, found := range regexp.MustCompile(`\b`+field+`=(\d+)`).FindAllStringSubmatch(r.logged(), -1) {
		values = append(values, found[1])
	}
	return values
}

// number returns a field as the log has it last.
func (r *countingRig) number(t testing.TB, field string) int {
	t.Helper()
	values := r.all(field)
	require.NotEmpty(t, values, "no %s in the log", field)
	n, err := strconv.Atoi(values[len(values)-1])
	require.NoError(t, err)
	return n
}

const longText = "The quick brown fox jumps over the lazy dog. "

// What the gateway says that the engine had to read is what the engine read, turn by turn.
func TestWhatIsNewIsWhatTheEngineReads(t *testing.T) {
	r := startCounting(t)
	system := strings.Repeat(longText, 200)
	messages := fmt.Sprintf(`{"role":"system","content":%q},{"role":"user","content":"Say: Hello."}`, system)
	for turn := range 5 {
		response := r.post(t, appliance.PathChat, `{"messages":[`+messages+`]}`)
		require.Equal(t, http.StatusOK, response.StatusCode, read(t, response))
		_ = read(t, response)
		reading := r.last(t)
		assert.InDelta(t, reading.Read, r.number(t, "new"), float64(reading.Prompt)/50, "turn %d", turn)
		assert.NotContains(t, r.logged(), "parted=")
		messages += fmt.Sprintf(`,{"role":"assistant","content":"Hello."},{"role":"user","content":"Say: Hello %d."}`, turn)
	}
	assert.NotContains(t, r.logged(), "fox", "the log repeats what was said")

	// A clock in the system prompt has all of it read again.
	messages = strings.Replace(messages, "lazy", "late", 1)
	r.answered(t, `{"messages":[`+messages+`]}`)
	assert.InDelta(t, r.last(t).Read, r.number(t, "new"), float64(r.last(t).Prompt)/50)
	assert.Greater(t, r.number(t, "again"), 8000)
	assert.Contains(t, r.logged(), `parted="messages[0].content of system"`)
	numbers := numbersOf(t, r.rig)
	assert.Contains(t, numbers, appliance.MetricParted+`{program="other",at="system content"} 1`)
	assert.Regexp(t, appliance.MetricAgain+`\{program="other",at="system content"\} [1-9]\d{3}`, numbers)
}

func numbersOf(t testing.TB, r *rig) string {
	t.Helper()
	numbers := httptest.NewRecorder()
	r.ServeHTTP(numbers, httptest.NewRequest(http.MethodGet, appliance.PathMetrics, nil))
	return numbers.Body.String()
}

// As many conversations as the engine's cache has room for are read once, with one more everything is read
// again at each turn; and the gateway knows.
func TestConversationsThatTakeTurns(t *testing.T) {
	const size = 9000
	for n, again := range map[int]bool{2: false, 3: false, 4: true} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := startCounting(t, func(c *Config) { c.CacheTokens = 3*size + size/2 })
			messages := make([]string, n)
			for turn := range 4 {
				for i := range messages {
					if turn == 0 {
						messages[i] = fmt.Sprintf(`{"role":"system","content":%q}`, strings.Repeat(fmt.Sprintf("Number %d. ", i), size/10))
					}
					messages[i] += fmt.Sprintf(`,{"role":"user","content":"Say: Hello %d."}`, turn)
					assert.Contains(t, read(t, r.post(t, appliance.PathChat, `{"messages":[`+messages[i]+`]}`)), "Hello")
					messages[i] += fmt.Sprintf(`,{"role":"assistant","content":"Hello %d."}`, turn)
					reading := r.last(t)
					assert.InDelta(t, reading.Read, r.number(t, "new"), float64(reading.Prompt)/50)
					assert.Equal(t, turn == 0 || again, reading.Read > size/2, "turn %d of %d: %d read", turn, i, reading.Read)
				}
			}
		})
	}
}

// Tools in another order, and keys of their schemas in another order, are the same prompt.
func TestToolsAreWrittenInOneWay(t *testing.T) {
	r := startCounting(t)
	const ask = `{"messages":[{"role":"user","content":"Say: Hello."}],"tools":[%s]}`
	one := `{"type":"function","function":{"name":"a","description":"` + longText + `","parameters":{"type":"object","properties":{"x":{"type":"string"},"y":{"type":"number"}}}}}`
	same := `{"function":{"parameters":{"properties":{"y":{"type":"number"},"x":{"type":"string"}},"type":"object"},"description":"` + longText + `","name":"a"},"type":"function"}`
	other := `{"type":"function","function":{"name":"b","description":"` + longText + `"}}`
	for i, tools := range []string{one + "," + other, other + "," + one, other + "," + same} {
		r.answered(t, fmt.Sprintf(ask, tools))
		if i > 0 {
			assert.Equal(t, 1, r.last(t).Read, "the engine always reads the last token")
		}
	}
	assert.NotContains(t, r.logged(), "parted=")
}

// Messages of another conversation, and what an agent asks besides, are no break of this one.
func TestConversationsAreToldApart(t *testing.T) {
	r := startCounting(t)
	system := strings.Repeat(longText, 20)
	for _, asked := range []string{
		fmt.Sprintf(`{"role":"system","content":%q},{"role":"user","content":"Say: a."}`, system),
		fmt.Sprintf(`{"role":"system","content":%q},{"role":"user","content":"Say: b."}`, system),
		`{"role":"system","content":"You are a title generator."},{"role":"user","content":"Say: a."}`,
		fmt.Sprintf(`{"role":"system","content":%q},{"role":"user","content":"Say: a."},{"role":"assistant","content":"a."},{"role":"user","content":"Say: c."}`, system),
	} {
		_ = read(t, r.postAs(t, openCode, appliance.PathChat, `{"messages":[`+asked+`]}`))
	}
	assert.Equal(t, 4, strings.Count(r.logged(), "msg=answered"))
	assert.NotContains(t, r.logged(), "parted=")
}

// An engine that ended has forgotten what it read.
func TestAnEngineThatEndedHasReadNothing(t *testing.T) {
	answers := []http.HandlerFunc{
		says(role, delta("a"), stopped, usage(1000, 1), done),
		says(role, delta("a"), stopped, usage(1000, 1), done),
		fails(http.StatusInternalServerError, `{"error":{"message":"rpc error: code = Unavailable desc = connection refused"}}`),
		says(role, delta("a"), stopped, usage(1000, 1), done),
	}
	r := &countingRig{}
	r.rig = start(t, func(w http.ResponseWriter, request *http.Request) {
		answers[0](w, request)
		answers = answers[1:]
	})
	r.Gateway.log = slog.New(slog.NewTextHandler(r, nil))
	for range 4 {
		_ = read(t, r.post(t, appliance.PathChat, chatWhole))
	}
	assert.Equal(t, []string{"0", "1000", "0"}, r.all("repeated"))
}

// Sessions are told apart by what their clients say of them.
func TestSessions(t *testing.T) {
	of := func(header, id, body string) string {
		asked := httptest.NewRequest(http.MethodPost, appliance.PathChat, http.NoBody)
		asked.Header.Set(appliance.HeaderClient, "192.0.2.1")
		if header != "" {
			asked.Header.Set(header, id)
		}
		one := &request{state: &state{Config: testConfig("127.0.0.1:1")}, r: asked, name: appliance.PathChat}
		_, failed := one.decode([]byte(body))
		require.Nil(t, failed)
		return one.session()
	}
	const keyed = `{"messages":[{"role":"user","content":"hi"}],"prompt_cache_key":"%s"}`
	all := map[string]bool{}
	for _, session := range []string{
		of("", "", chatWhole), of("X-Session-Id", "a", chatWhole), of("Session-Id", "b", chatWhole), of("X-Claude-Code-Session-Id", "c", chatWhole),
		of("", "", fmt.Sprintf(keyed, "d")), of("", "", fmt.Sprintf(keyed, "e")),
	} {
		all[session] = true
	}
	assert.Len(t, all, 6)
	assert.Equal(t, of("Session-Id", "b", chatWhole), of("Session-Id", "b", fmt.Sprintf(keyed, "d")))
}
