package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// Whoever has a key is one client, from wherever he asks; with the password everybody is where he is.
func TestTurnsGoByKey(t *testing.T) {
	r := start(t, held(nil, nil), withTestKeys)
	ask := func(key, address string) *http.Response {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+appliance.PathChat, strings.NewReader(chatStream))
		require.NoError(t, err)
		request.Header.Set(appliance.HeaderKey, key)
		request.Header.Set(appliance.HeaderClient, address)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	for i := range maxWaitingOfOne + 1 {
		assert.Equal(t, 200, ask("alice", fmt.Sprintf("192.0.2.%d", i)).StatusCode)
	}
	assert.Equal(t, 429, ask("alice", "198.51.100.1").StatusCode, "another address of hers")
	for range maxWaitingOfOne {
		assert.Equal(t, 200, ask("ci", "192.0.2.1").StatusCode, "another key at one of her addresses")
		assert.Equal(t, 200, ask("copilot", "192.0.2.1").StatusCode)
	}
	assert.Equal(t, 429, ask("copilot", "192.0.2.1").StatusCode)
	assert.Equal(t, 200, ask("copilot", "192.0.2.2").StatusCode)
}

// The list of names changes while an answer runs, which goes on as whose it was.
func TestTheListOfKeysChanges(t *testing.T) {
	asked, release := make(chan struct{}, 1), make(chan struct{})
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		held(release, says(role, delta("a"), stopped, usage(7, 1), done))(w, r)
	}, withTestKeys)
	answers := make(chan string)
	go func() { answers <- r.askWith(t.Context(), t, "alice", http.MethodPost, appliance.PathChat, chatStream) }()
	<-asked
	config := testConfig(r.current.Load().Engine)
	config.Keys = []string{"ci", "bob"}
	r.Configure(config, testKey)
	r.askWith(t.Context(), t, "bob", http.MethodGet, appliance.PathModels, "")
	r.askWith(t.Context(), t, "alice", http.MethodGet, appliance.PathModels, "")
	close(release)
	assert.Contains(t, <-answers, done)
	require.Eventually(t, func() bool { return r.numbersNow(t).sum(appliance.MetricInHand) == 0 }, time.Minute, time.Millisecond)
	n := r.numbersNow(t)
	assert.Equal(t, 7.0, n.sum(appliance.MetricPromptTokens, "key", "alice"))
	assert.Equal(t, 1.0, n.sum(appliance.MetricRequests, "key", "alice"))
	assert.Equal(t, 1.0, n.sum(appliance.MetricRequests, "key", "bob"))
	assert.Equal(t, 1.0, n.sum(appliance.MetricRequests, "key", noKey), "what is not on the list has no name")
}
