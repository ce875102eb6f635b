package gateway

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/speed"
)

func (r *rig) benchmark(t *testing.T) *http.Response {
	t.Helper()
	return r.ask(t.Context(), t, appliance.BenchmarkClient, http.MethodPost, appliance.PathChat, chatStream)
}

// Whoever asks must not wait for a benchmark, whether its prompt is read or its answer written.
func TestABenchmarkEndsWhenSomebodyAsks(t *testing.T) {
	for name, begun := range map[string]bool{"while it is read": false, "while it is answered": true} {
		t.Run(name, func(t *testing.T) {
			asked, gone := make(chan struct{}), make(chan struct{})
			answer := says(role, delta("a"), stopped, usage(3, 1), done)
			first := true
			r := start(t, func(w http.ResponseWriter, r *http.Request) {
				if !first {
					answer(w, r)
					return
				}
				first = false
				_, _ = io.Copy(io.Discard, r.Body) // the server notices a client that leaves
				if begun {
					says(role, delta("a"))(w, r)
				}
				close(asked)
				<-r.Context().Done()
				close(gone)
			})
			response := r.benchmark(t)
			<-asked
			if begun {
				_, err := sse.NewReader(response.Body).Next()
				require.NoError(t, err)
			}
			r.answered(t, chatWhole)
			<-gone
			assert.Contains(t, read(t, response), `"code":"given_up"`)
		})
	}
}

func TestABenchmarkDoesNotWait(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		held(release, says(role, delta("a"), stopped, done))(w, r)
	})
	response := r.post(t, appliance.PathChat, chatStream)
	<-asked
	refused := r.benchmark(t)
	assert.Equal(t, http.StatusTooManyRequests, refused.StatusCode)
	close(release)
	assert.Contains(t, read(t, response), "data: [DONE]", "nobody is disturbed by it")
}

func TestNumbersHaveTheSpeed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "speed.json")
	r := start(t, fails(http.StatusOK, "{}"), func(c *Config) { c.Speed = path })
	numbers := func() string { return read(t, r.ask(t.Context(), t, "a", http.MethodGet, appliance.PathMetrics, "")) }
	assert.NotContains(t, numbers(), "slm_copilot_benchmark_", "nothing was measured")
	require.NoError(t, speed.Save(path, speed.Result{Of: speed.Subject{Model: "another"}, Write: 5.5}))
	assert.NotContains(t, numbers(), "slm_copilot_benchmark_", "it was of another model")
	require.NoError(t, speed.Save(path, speed.Result{Of: speed.Subject{Model: appliance.ModelID}, Read: 25, Write: 5.5}))
	assert.Contains(t, numbers(), "\nslm_copilot_benchmark_write_tokens_per_second 5.5\n")
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	assert.Contains(t, numbers(), appliance.MetricStart, "the others are there all the same")
}
