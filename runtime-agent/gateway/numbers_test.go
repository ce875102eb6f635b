package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/program"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/speed"
)

// parsed is what Prometheus's own parser reads of the numbers, by name.
type parsed map[string]*dto.MetricFamily

func parseNumbers(t testing.TB, text string) parsed {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err, text)
	return families
}

func (r *rig) numbersNow(t testing.TB) parsed {
	t.Helper()
	var text bytes.Buffer
	r.numbers.write(&text)
	return parseNumbers(t, text.String())
}

// sum adds the counters, gauges and counts of histograms of a name that have all the labels, which are pairs.
func (p parsed) sum(name string, labels ...string) float64 {
	total := 0.0
	for _, metric := range p[name].GetMetric() {
		if !hasLabels(metric, labels) {
			continue
		}
		total += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
	}
	return total
}

func hasLabels(metric *dto.Metric, pairs []string) bool {
	for i := 0; i < len(pairs); i += 2 {
		if !slices.ContainsFunc(metric.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == pairs[i] && l.GetValue() == pairs[i+1] }) {
			return false
		}
	}
	return true
}

// askWith sends a request as nginx passes it on, and reads the answer to its end, or until ctx is over.
func (r *rig) askWith(ctx context.Context, t testing.TB, key, method, path, body string) (text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, r.url+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set(appliance.HeaderClient, "192.0.2.1")
	request.Header.Set(appliance.HeaderKey, key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		require.ErrorIs(t, err, context.Cause(ctx))
		return ""
	}
	defer response.Body.Close()
	read, _ := io.ReadAll(response.Body) // the engine may fail
	return string(read)
}

func withTestKeys(c *Config) { c.Keys = []string{"alice", "ci"} }

func TestTokensAndTimesByKey(t *testing.T) {
	text := `data: {"id":"x","choices":[{"index":0,"text":"a","finish_reason":null}]}` + "\n\n"
	answers := map[string]http.HandlerFunc{
		"chat":        says(role, delta("a"), delta("b"), stopped, usage(100, 40), done),
		"completions": says(text, text, text, strings.Replace(text, "null", `"stop"`, 1), usage(0, 0), done),
		"cut":         says(role, delta("a"), delta("b"), delta("c")),
	}
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for name, answer := range answers {
			if bytes.Contains(body, []byte(`"user":"`+name+`"`)) {
				answer(w, r)
			}
		}
	}, withTestKeys)
	r.askWith(t.Context(), t, "alice", http.MethodPost, appliance.PathChat, `{"user":"chat","messages":[{"role":"user","content":"hi"}]}`)
	r.askWith(t.Context(), t, "alice", http.MethodPost, appliance.PathCompletions, `{"user":"completions","prompt":"hi","stream":true}`)
	r.askWith(t.Context(), t, "ci", http.MethodPost, appliance.PathChat, `{"user":"cut","messages":[{"role":"user","content":"cut"}],"stream":true}`)
	r.askWith(t.Context(), t, "copilot", http.MethodPost, appliance.PathChat, `{"user":"chat","messages":[{"role":"user","content":"hello"}]}`)
	r.askWith(t.Context(), t, "copilot", http.MethodPost, appliance.PathChat, `{"messages":[]}`)
	n := r.numbersNow(t)
	for key, want := range map[string][3]float64{
		// Of two prompts the engine did not tell how long they were: that is estimated.
		"alice":   {101, 44, 2},
		"ci":      {2, 3, 1},
		"copilot": {100, 40, 2},
	} {
		assert.Equal(t, want[0], n.sum(appliance.MetricPromptTokens, "key", key, "state", "new"), key)
		assert.Equal(t, 0.0, n.sum(appliance.MetricPromptTokens, "key", key, "state", "repeated"), key)
		assert.Equal(t, want[1], n.sum(appliance.MetricAnswerTokens, "key", key), key)
		assert.Equal(t, want[2], n.sum(appliance.MetricReceived, "key", key), key)
		assert.Positive(t, n.sum(appliance.MetricEngineSeconds, "key", key), key)
	}
	assert.Equal(t, 4.0, n.sum("slm_copilot_gateway_queue_seconds"), "one was refused before")
	assert.Equal(t, 3.0, n.sum("slm_copilot_gateway_first_token_seconds", "route", appliance.PathChat))
	assert.Equal(t, 1.0, n.sum("slm_copilot_gateway_first_token_seconds", "route", appliance.PathCompletions))
	assert.Equal(t, 3.0, n.sum("slm_copilot_gateway_answer_tokens_per_second"), "of answers that ended")
	assert.Equal(t, 1.0, n.sum(appliance.MetricRequests, "key", "ci", "status", "503"))
	assert.Equal(t, 1.0, n.sum(appliance.MetricRequests, "key", "copilot", "status", "400"))
}

// A call comes as a whole when it is written: how fast that was is not known.
func TestAToolCallAloneHasNoSpeed(t *testing.T) {
	call := event(`{"index":0,"finish_reason":null,"delta":{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}]}}`)
	r := start(t, says(role, call, strings.Replace(stopped, "stop", "tool_calls", 1), usage(10, 30), done), withTestKeys)
	r.askWith(t.Context(), t, "alice", http.MethodPost, appliance.PathChat, chatStream)
	n := r.numbersNow(t)
	assert.Equal(t, 30.0, n.sum(appliance.MetricAnswerTokens))
	assert.Equal(t, 1.0, n.sum("slm_copilot_gateway_first_token_seconds"))
	assert.Zero(t, n.sum("slm_copilot_gateway_answer_tokens_per_second"))
}

// Who goes away has cost something.
func TestTokensOfAClientThatWentAway(t *testing.T) {
	sent, gone := make(chan struct{}), make(chan struct{})
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		says(role, delta("a"), delta("b"))(w, r)
		close(sent)
		<-r.Context().Done()
		close(gone)
	}, withTestKeys)
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan string)
	go func() { ended <- r.askWith(ctx, t, "alice", http.MethodPost, appliance.PathChat, chatStream) }()
	<-sent
	require.Eventually(t, func() bool { return r.numbersNow(t).sum("slm_copilot_gateway_engine_up") == 1 }, time.Minute, time.Millisecond)
	leave()
	<-ended
	<-gone
	require.Eventually(t, func() bool { return r.numbersNow(t).sum(appliance.MetricInHand) == 0 }, time.Minute, time.Millisecond)
	n := r.numbersNow(t)
	assert.Equal(t, 1.0, n.sum(appliance.MetricRequests, "key", "alice", "status", "499"))
	assert.Positive(t, n.sum(appliance.MetricAnswerTokens, "key", "alice"))
	assert.Positive(t, n.sum(appliance.MetricEngineSeconds, "key", "alice"))
	assert.Equal(t, 1.0, n.sum("slm_copilot_gateway_engine_up"), "it is not to blame")
}

func TestTheStateOfTheEngine(t *testing.T) {
	var now http.HandlerFunc
	var mutex sync.Mutex
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		answer := now
		mutex.Unlock()
		answer(w, r)
	})
	dead := fails(500, `{"error":{"message":"rpc error: code = Unavailable desc = connection refused"}}`)
	for _, step := range []struct {
		path string
		now  http.HandlerFunc
		up   float64
	}{
		{appliance.PathModels, nil, 0}, // nobody has asked the engine
		{appliance.PathChat, says(role, delta("a"), stopped, done), 1},
		{appliance.PathChat, dead, 0},
		{appliance.PathReadyz, fails(200, ""), 1},
		{appliance.PathChat, fails(500, "<html>"), 1}, // that tells nothing
		{appliance.PathReadyz, fails(503, ""), 0},
		{appliance.PathChat, fails(400, `{"error":{"message":"bad temperature"}}`), 1},
		{appliance.PathChat, says(role), 0},
	} {
		mutex.Lock()
		now = step.now
		mutex.Unlock()
		r.askWith(t.Context(), t, "copilot", methods[step.path], step.path, chatWhole)
		assert.Equal(t, step.up, r.numbersNow(t).sum("slm_copilot_gateway_engine_up"), step.path)
	}
}

// Whatever happens to requests, those that came in have ended or are in hand, at every moment.
func TestNumbersAddUp(t *testing.T) {
	const clients, each = 12, 15
	var count sync.Map
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for name, answer := range faults {
			if bytes.Contains(body, []byte(name)) {
				count.Store(name, true)
				answer(w, r)
			}
		}
	}, withTestKeys, func(c *Config) { c.Slots = 3 })
	r.grace, r.interval = time.Millisecond, time.Millisecond
	check := func(n parsed) {
		received, ended, inHand := n.sum(appliance.MetricReceived), n.sum(appliance.MetricRequests), n.sum(appliance.MetricInHand)
		require.Equal(t, received, ended+inHand)
		require.LessOrEqual(t, n.sum(appliance.MetricWaiting)+n.sum(appliance.MetricRunning), float64(clients))
	}
	var working sync.WaitGroup
	for i := range clients {
		random := rand.New(rand.NewPCG(1, uint64(i)))
		working.Go(func() {
			for range each {
				r.anything(t, random)
			}
		})
	}
	all := make(chan struct{})
	go func() {
		working.Wait()
		close(all)
	}()
	for looked := 0; ; looked++ {
		check(r.numbersNow(t))
		select {
		case <-all:
			require.Eventually(t, func() bool { return r.numbersNow(t).sum(appliance.MetricInHand) == 0 }, time.Minute, time.Millisecond)
			n := r.numbersNow(t)
			check(n)
			assert.LessOrEqual(t, n.sum(appliance.MetricReceived), float64(clients*each), "some left before")
			assert.Greater(t, n.sum(appliance.MetricReceived), float64(clients*each/2))
			for _, status := range []string{"200", "400", "404", "405", "499", "500", "503"} {
				assert.Positive(t, n.sum(appliance.MetricRequests, "status", status), status)
			}
			for name := range faults {
				_, met := count.Load(name)
				assert.True(t, met, name)
			}
			assert.Greater(t, looked, 3)
			return
		default:
		}
	}
}

// faults are ways of the engine to answer, by a word in the request.
var faults = map[string]http.HandlerFunc{
	"fault-none":    says(role, delta("a"), stopped, usage(5, 1), done),
	"fault-cut":     says(role, delta("a")),
	"fault-refused": fails(400, `{"error":{"message":"bad temperature"}}`),
	"fault-dead":    fails(500, `{"error":{"message":"rpc error: code = Unavailable desc = connection refused"}}`),
	"fault-broken":  fails(500, "<html>"),
	"fault-hangs":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	"fault-panics":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
}

// anything sends one request of any kind. One in three is left by its client, sooner or later.
func (r *rig) anything(t testing.TB, random *rand.Rand) {
	names := []string{"fault-hangs"}
	ctx := t.Context()
	if random.IntN(3) == 0 {
		var leave context.CancelFunc
		ctx, leave = context.WithTimeout(ctx, time.Duration(1+random.IntN(20))*time.Millisecond)
		defer leave()
		for name := range faults {
			names = append(names, name)
		}
	} else {
		names = nil
		for name := range faults {
			if name != "fault-hangs" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	stream := random.IntN(2) == 0
	body := fmt.Sprintf(`{"max_tokens":9,"input":"a","prompt":"a","user":%q,"messages":[{"role":"user","content":"%[1]s"}],"stream":%t}`, names[random.IntN(len(names))], stream)
	paths := []string{appliance.PathChat, appliance.PathCompletions, appliance.PathMessages, "/v1/nothing", appliance.PathModels, appliance.PathReadyz}
	keys := []string{"alice", "ci", "copilot", "nobody", ""}
	r.askWith(ctx, t, keys[random.IntN(len(keys))], http.MethodPost, paths[random.IntN(len(paths))], body)
}

// However a client tries, it adds no label: what it sends is in none.
func TestLabelsAreBounded(t *testing.T) {
	r := start(t, says(role, delta("a"), stopped, usage(5, 1), done), withTestKeys)
	for i := range 50 {
		hostile := fmt.Sprintf("hostile-%d", i)
		for _, path := range []string{"/" + hostile, "/v1/models/" + hostile, appliance.PathChat + "?" + hostile, appliance.PathMetrics, appliance.PathReadyz} {
			r.askWith(t.Context(), t, hostile, []string{http.MethodGet, http.MethodPost, "HOSTILE"}[i%3], path, `{"model":"`+hostile+`","messages":[{"role":"user","content":"hi"}]}`)
		}
	}
	for _, key := range []string{"alice", "ci", "copilot", "-"} {
		r.askWith(t.Context(), t, key, http.MethodPost, appliance.PathChat, chatStream)
	}
	routes := []string{unknown}
	for route := range methods {
		routes = append(routes, route)
	}
	allowed := map[string][]string{
		"route": routes, "key": {"-", "copilot", "alice", "ci"}, "state": {"repeated", "new"}, "status": {"200", "400", "404", "405"},
		"program": {program.Other},
	}
	for name, family := range r.numbersNow(t) {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				assert.Contains(t, allowed[label.GetName()], label.GetValue(), name)
			}
		}
	}
}

// Prometheus's own parser reads all of it over HTTP, before the first request and after it.
func TestNumbersAreReadByPrometheus(t *testing.T) {
	r := start(t, says(role, delta("a"), delta("b"), stopped, usage(5, 2), done))
	for range 2 {
		n := parseNumbers(t, r.askWith(t.Context(), t, "copilot", http.MethodGet, appliance.PathMetrics, ""))
		for name, family := range n {
			assert.NotEqual(t, dto.MetricType_UNTYPED, family.GetType(), name)
			assert.NotEmpty(t, family.GetHelp(), name)
			assert.Equal(t, family.GetType() == dto.MetricType_COUNTER, strings.HasSuffix(name, "_total"), name)
			for _, metric := range family.GetMetric() {
				if histogram := metric.GetHistogram(); family.GetType() == dto.MetricType_HISTOGRAM {
					buckets := histogram.GetBucket()
					require.NotEmpty(t, buckets, name)
					assert.Equal(t, math.Inf(1), buckets[len(buckets)-1].GetUpperBound(), name)
					assert.Equal(t, histogram.GetSampleCount(), buckets[len(buckets)-1].GetCumulativeCount(), name)
				}
			}
		}
		assert.Equal(t, 1.0, n.sum(appliance.MetricInHand), "the one that asks for them")
		assert.InDelta(t, float64(time.Now().Unix()), n.sum(appliance.MetricStart), 600)
		r.askWith(t.Context(), t, "copilot", http.MethodPost, appliance.PathChat, chatStream)
	}
}

// A client that reads nothing keeps nobody's request waiting.
func TestASlowReaderOfTheNumbersHoldsUpNobody(t *testing.T) {
	r := start(t, says(role, delta("a"), stopped, done))
	reader, writer := io.Pipe()
	go r.numbers.write(writer)
	_, err := io.ReadFull(reader, make([]byte, 10)) // the rest stays in the pipe
	require.NoError(t, err)
	r.answered(t, chatWhole)
	require.NoError(t, reader.Close())
}

func TestDocumentationHoldsTheTableOfNumbers(t *testing.T) {
	var table strings.Builder
	table.WriteString("| number | | |\n|---|---|---|\n")
	var text bytes.Buffer
	New(testConfig(""), testKey, nil).numbers.write(&text)
	speed.Result{Bandwidth: 1}.WriteMetrics(&text)
	head := regexp.MustCompile(`(?m)^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$`)
	for _, found := range head.FindAllStringSubmatch(text.String(), -1) {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", found[1], found[3], found[2])
	}
	goldentest.Block(t, "../../docs/appliance.md", "numbers", table.String())
}

// What a client cut off by leaving looks like an engine that went away.
func TestAClientThatLeavesSaysNothingOfTheEngine(t *testing.T) {
	g := New(testConfig(""), testKey, nil)
	g.numbers.engineUp.Store(true)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	one := &request{Gateway: g}
	one.heard(ctx, said{err: failure.Cut(io.ErrUnexpectedEOF)})
	assert.True(t, g.numbers.engineUp.Load())
	one.heard(t.Context(), said{err: failure.Cut(io.ErrUnexpectedEOF)})
	assert.False(t, g.numbers.engineUp.Load())
}
