package nginx

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

func get(t *testing.T, s *server, client *http.Client, path, password string) answer {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, s.url()+path, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+password)
	return send(t, client, request)
}

// Guessers are slowed down; a client with the right password at the same address and the same
// time is not.
func TestWrongPasswordsAreSlowedDown(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}).Address)
	assert.Equal(t, 401, get(t, s, s.client(), appliance.PathModels, "wrong").StatusCode, "the first is answered at once")

	// More at once than may wait, each until it is refused.
	const guessers = 40
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sentAway := make(chan answer, guessers)
	for i := range guessers {
		go guess(ctx, t, s, i, sentAway)
	}
	select {
	case response := <-sentAway:
		assert.Equal(t, "rate_limit_exceeded", errorCode(t, response))
		assert.Equal(t, []string{"5"}, response.Header.Values("Retry-After"))
		assert.Equal(t, []string{"*"}, response.Header.Values("Access-Control-Allow-Origin"))
		assert.Empty(t, response.Header.Values("WWW-Authenticate"))
	case <-ctx.Done():
		t.Fatal("forty guessers are not slowed down")
	}
	for range 20 {
		assert.Equal(t, 200, get(t, s, s.client(), appliance.PathModels, testPassword).StatusCode)
	}
	assert.Equal(t, 401, get(t, s, s.clientAt("127.0.0.2"), appliance.PathModels, "wrong").StatusCode, "another address")
}

// guess asks until the answer is 429, with a body and now and then without any password.
func guess(ctx context.Context, t *testing.T, s *server, i int, sentAway chan<- answer) {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url()+appliance.PathChat, strings.NewReader(chatBody))
		if !assert.NoError(t, err) {
			return
		}
		if i%4 > 0 {
			request.Header.Set("X-Api-Key", fmt.Sprint("guess-", i))
		}
		response, err := s.client().Do(request)
		if ctx.Err() != nil {
			return
		}
		if !assert.NoError(t, err) {
			return
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode == http.StatusTooManyRequests {
			sentAway <- answer{response, string(text)}
			return
		}
		if !assert.NoError(t, err) || !assert.Equal(t, 401, response.StatusCode) {
			return
		}
	}
}

func TestRateLimit(t *testing.T) {
	for limit, retryAfter := range map[int]string{1: "60", 3: "20"} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			s := start(t, engine(t, localaitest.Options{}).Address, func(s *Site) { s.RateLimit = limit })
			ask := func(address string) answer {
				return get(t, s, s.clientAt(address), appliance.PathModels, testPassword)
			}
			for range limit {
				assert.Equal(t, 200, ask("127.0.0.1").StatusCode)
			}
			refused := ask("127.0.0.1")
			require.Equal(t, 429, refused.StatusCode)
			assert.Equal(t, "rate_limit_exceeded", errorCode(t, refused))
			assert.Equal(t, []string{retryAfter}, refused.Header.Values("Retry-After"))
			assert.Equal(t, []string{"*"}, refused.Header.Values("Access-Control-Allow-Origin"))

			assert.Equal(t, 200, ask("127.0.0.2").StatusCode, "another address")
			assert.Equal(t, 401, get(t, s, s.client(), appliance.PathModels, "wrong").StatusCode)
			for range 2 * limit {
				assert.Equal(t, 200, get(t, s, s.client(), appliance.PathHealth, "").StatusCode)
				request, err := http.NewRequest(http.MethodOptions, s.url()+appliance.PathChat, nil)
				require.NoError(t, err)
				assert.Equal(t, 204, do(t, s, request).StatusCode)
			}
		})
	}
}

func TestLargeRequests(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}).Address)
	ask := func(size int) answer {
		body := strings.Repeat(" ", size-len(chatBody)) + chatBody
		request, err := http.NewRequest(http.MethodPost, s.url()+appliance.PathChat, strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("X-Api-Key", testPassword)
		request.Header.Set("Content-Type", "application/json")
		return do(t, s, request)
	}
	assert.Equal(t, 200, ask(bodyLimit).StatusCode, "the engine takes no less than nginx")
	assert.Equal(t, 413, ask(bodyLimit+1).StatusCode)

	// From here on nginx cannot write a request body to the disk.
	require.NoError(t, os.RemoveAll(filepath.Join(s.dir, "client_body")))
	assert.Equal(t, 500, ask(bodyLimit).StatusCode)
	assert.Equal(t, 200, ask(1_000_000).StatusCode)
}

func TestRetryAfterALimit(t *testing.T) {
	for limit, seconds := range map[int]int{0: 5, 1: 60, 7: 9, 60: 5, 60_000: 5} {
		assert.Equal(t, seconds, Site{RateLimit: limit}.retryLimited(), "%d per minute", limit)
	}
}
