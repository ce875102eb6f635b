package gateway

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// A stop lets the answer that runs end, and refuses what waits.
func TestStop(t *testing.T) {
	release := make(chan struct{})
	r := start(t, held(release, says(role, delta("a"), stopped, usage(1, 1), done)))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r.url = "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx, listener) }()

	running := r.ask(t.Context(), t, "a", http.MethodPost, appliance.PathChat, chatStream)
	waiting := r.ask(t.Context(), t, "b", http.MethodPost, appliance.PathChat, chatStream)
	whole := r.ask(t.Context(), t, "b", http.MethodPost, appliance.PathChat, chatWhole)
	stop()
	assert.Contains(t, read(t, waiting), "the model is loading or restarting")
	assert.Contains(t, read(t, whole), `"code":"model_unavailable"`)
	close(release)
	assert.True(t, strings.HasSuffix(read(t, running), delta("a")+stopped+done))
	require.NoError(t, <-ended)
}

// A stop that cannot wait ends the answer that runs in an error, and not in the middle of a line.
func TestStopWithoutTime(t *testing.T) {
	r := start(t, held(nil, nil))
	r.drainTime = 10 * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r.url = "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx, listener) }()
	running := r.post(t, appliance.PathChat, chatStream)
	stop()
	assert.True(t, strings.HasSuffix(read(t, running), `"param":null,"code":500}}`+"\n\n"+done))
	require.NoError(t, <-ended)
}

// A new configuration is for new requests: what runs goes on.
func TestConfigure(t *testing.T) {
	release := make(chan struct{})
	r := start(t, held(release, says(role, delta("old"), stopped, done)))
	running := r.post(t, appliance.PathChat, chatStream)
	next := httptest.NewServer(says(role, delta("new"), stopped, done))
	defer next.Close()
	config := testConfig(next.URL)
	config.Model, config.Slots = "another", 2
	r.Configure(config, testKey)
	assert.Contains(t, read(t, r.post(t, appliance.PathChat, chatStream)), "new")
	assert.Equal(t, 404, r.post(t, appliance.PathChat, `{"model":"`+appliance.ModelID+`","messages":[{"role":"user","content":"a"}]}`).StatusCode)
	close(release)
	assert.Contains(t, read(t, running), "old")
}

func TestConfigFile(t *testing.T) {
	config := testConfig("127.0.0.1:8080")
	config.History.Alternate = true
	again, err := ParseConfig(config.Render())
	require.NoError(t, err)
	assert.Equal(t, config, again)
	for text, want := range map[string]string{
		"":   "unexpected end of JSON input",
		"{}": "model is missing",
		`{"model":"m","engine":"e","context_size":1,"slots":1}`: "read_timeout is missing",
	} {
		_, err := ParseConfig([]byte(text))
		assert.ErrorContains(t, err, want)
	}
}

// What the engine is asked: LocalAI's own key, the id of the request, a stream, and numbers.
func TestTheQuestion(t *testing.T) {
	asked := make(chan *http.Request, 1)
	bodies := make(chan string, 1)
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := bufio.NewReader(r.Body).ReadString(0)
		asked <- r
		bodies <- body
		says(role, delta("a"), stopped, done)(w, r)
	})
	request, err := http.NewRequest(http.MethodPost, r.url+appliance.PathChat, strings.NewReader(
		`{"model":"devstral-small-2","messages":[{"role":"user","content":"a"}],"max_completion_tokens":7,"temperature":0.5,"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}],"tool_choice":{"type":"function","function":{"name":"g"}}}`))
	require.NoError(t, err)
	request.Header.Set("X-Request-Id", "id-1")
	request.Header.Set("Authorization", "Bearer of-a-client")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	got := <-asked
	assert.Equal(t, []string{"Bearer " + testKey}, got.Header.Values("Authorization"))
	assert.Equal(t, "id-1", got.Header.Get("X-Request-Id"))
	body := <-bodies
	assert.Equal(t, int64(len(body)), got.ContentLength)
	assert.JSONEq(t, `{"model":"devstral-small-2","messages":[{"role":"user","content":"a"}],"max_tokens":7,"temperature":0.5,"stream":true,"stream_options":{"include_usage":true},"tools":[{"type":"function","function":{"name":"g"}}],"tool_choice":"required"}`, body)
}
