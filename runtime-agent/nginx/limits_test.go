package nginx

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// Whoever guesses learns nothing sooner from a right password than from a wrong one: both wait for
// their turn, while another address does not.
func TestGuessersOfPasswordsAreSlowedDown(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
	guess := func(address, password string) answer {
		return get(t, s, s.clientAt(address), appliance.PathModels, password)
	}
	for range 100 {
		assert.Equal(t, 401, guess("127.0.0.1", "wrong").StatusCode)
	}

	// More at once than may wait. The right one is among them, and is as likely sent away.
	right, wrong := make(chan answer, atOnce), make(chan answer, atOnce)
	for range atOnce {
		go func() { right <- guess("127.0.0.1", testPassword) }()
		go func() { wrong <- guess("127.0.0.1", "wrong") }()
	}
	assert.Equal(t, 200, guess("127.0.0.2", testPassword).StatusCode, "another address is served")
	assert.Equal(t, 401, guess("127.0.0.3", "wrong").StatusCode, "another address")
	for name, answers := range map[string]chan answer{"right": right, "wrong": wrong} {
		count, refused := tally(answers)
		assert.Greater(t, count[429], atOnce/2, "%s: %v", name, count)
		assert.Equal(t, atOnce, count[429]+count[map[string]int{"right": 200, "wrong": 401}[name]], "%s: %v", name, count)
		assert.Equal(t, "rate_limit_exceeded", errorCode(t, refused))
		assert.Equal(t, []string{"5"}, refused.Header.Values("Retry-After"))
		assert.Equal(t, []string{"*"}, refused.Header.Values("Access-Control-Allow-Origin"))
		assert.Empty(t, refused.Header.Values("WWW-Authenticate"))
	}

	// While the backend is reloaded, too, when a right password gets another answer.
	require.NoError(t, os.WriteFile(s.reloading, nil, 0o600))
	for range atOnce {
		go func() { right <- chat(t, s, chatBody) }()
	}
	count, _ := tally(right)
	assert.Greater(t, count[429], atOnce/4, "%v", count)
	assert.Equal(t, atOnce, count[429]+count[503], "%v", count)
}

// atOnce is more than nginx lets wait.
const atOnce = 300

// tally counts the statuses of as many answers, and returns one that is 429.
func tally(answers chan answer) (count map[int]int, refused answer) {
	count = map[int]int{}
	for range atOnce {
		next := <-answers
		count[next.StatusCode]++
		if next.StatusCode == http.StatusTooManyRequests {
			refused = next
		}
	}
	return count, refused
}

// BenchmarkGuesses reports the time of a guess from one address, after many wrong ones.
func BenchmarkGuesses(b *testing.B) {
	s := start(b, engine(b, localaitest.Options{}))
	client := s.client()
	ask := func(password string) {
		request, err := http.NewRequest(http.MethodGet, s.url()+appliance.PathModels, nil)
		require.NoError(b, err)
		request.Header.Set("Authorization", "Bearer "+password)
		response, err := client.Do(request)
		require.NoError(b, err)
		response.Body.Close()
	}
	for range 100 {
		ask("wrong")
	}
	for i := 0; b.Loop(); i++ {
		ask(fmt.Sprint("guess-", i))
	}
}

// One user has all of a /64.
func TestAnIPv6NetworkIsOneClient(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}), func(s *Site) { s.RateLimit = 2 })
	ask := func(address string) int {
		request, err := http.NewRequest(http.MethodGet, s.url()+appliance.PathModels, nil)
		require.NoError(t, err)
		request.Header.Set("X-Api-Key", testPassword)
		request.Header.Set(addressHeader, address)
		return do(t, s, request).StatusCode
	}
	assert.Equal(t, 200, ask("2001:db8::1"))
	assert.Equal(t, 200, ask("2001:db8:0:0:ffff::2"))
	assert.Equal(t, 429, ask("2001:db8::a0a:a0a:a0a:a0a"))
	assert.Equal(t, 200, ask("2001:db8:0:1::1"), "another network")
	assert.Equal(t, 200, ask("192.0.2.1"))
	assert.Equal(t, 200, ask("192.0.2.2"))
	assert.Equal(t, 200, ask("192.0.2.1"), "each IPv4 address counts for itself")
	assert.Equal(t, 429, ask("192.0.2.1"))
	assert.Equal(t, 200, ask("192.0.2.2"))
}

// Three thousand connections of one address that never send a whole request, in each of the
// places where a request can stop.
func TestSlowConnectionsDoNotTakeTheAPIAway(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
	for name, tt := range map[string]struct {
		text string
		tls  bool
	}{
		"in the handshake": {"\x16\x03\x01", false},
		"in the header":    {"GET /v1/models HTTP/1.1\r\nHost: vm-7\r\nX: ", true},
		"in the body":      {"POST /v1/chat/completions HTTP/1.1\r\nHost: vm-7\r\nX-Api-Key: " + "wrong" + "\r\nContent-Length: 1000\r\n\r\n{", true},
	} {
		t.Run(name, func(t *testing.T) {
			var stopped sync.WaitGroup
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.9")}}
			for range slowConnections {
				conn, err := dialer.DialContext(t.Context(), "tcp", s.https)
				require.NoError(t, err)
				defer conn.Close()
				if !tt.tls {
					_, _ = io.WriteString(conn, tt.text)
					continue
				}
				stopped.Go(func() {
					secure := tls.Client(conn, s.tls())
					_, err := io.WriteString(secure, tt.text)
					assert.NoError(t, err)
				})
			}
			stopped.Wait()
			client := s.clientAt("127.0.0.1")
			client.Timeout = 10 * time.Second
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url()+appliance.PathModels, nil)
			require.NoError(t, err)
			request.Header.Set("X-Api-Key", testPassword)
			assert.Equal(t, 200, send(t, client, request).StatusCode)
		})
	}
}

// slowConnections is more than nginx takes by default.
const slowConnections = 3000

func TestOneClientHasALimitedNumberOfConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close() // it accepts and never answers, like an engine that reads a prompt
	s := start(t, listener.Addr().String())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	codes := make(chan int, 2*maxConnections)
	for range maxConnections + 60 {
		go func() {
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+appliance.PathHealth, nil)
			response, err := s.client().Do(request)
			if err == nil {
				response.Body.Close()
				codes <- response.StatusCode
			}
		}()
	}
	assert.Equal(t, 429, <-codes)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+appliance.PathCA, nil)
	require.NoError(t, err)
	assert.Equal(t, 200, send(t, s.clientAt("127.0.0.2"), request).StatusCode, "another address")
}

func TestRateLimit(t *testing.T) {
	for limit, retryAfter := range map[int]string{1: "60", 3: "20"} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			s := start(t, engine(t, localaitest.Options{}), func(s *Site) { s.RateLimit = limit })
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
	s := start(t, engine(t, localaitest.Options{}))
	ask := func(size int) answer {
		body := strings.Repeat(" ", size-len(chatBody)) + chatBody
		request, err := http.NewRequest(http.MethodPost, s.url()+appliance.PathChat, strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("X-Api-Key", testPassword)
		request.Header.Set("Content-Type", "application/json")
		return do(t, s, request)
	}
	assert.Equal(t, 200, ask(appliance.BodyLimit).StatusCode, "the engine takes no less than nginx")
	assert.Equal(t, 413, ask(appliance.BodyLimit+1).StatusCode)

	// From here on nginx cannot write a request body to the disk.
	require.NoError(t, os.RemoveAll(filepath.Join(s.dir, "client_body")))
	assert.Equal(t, 500, ask(appliance.BodyLimit).StatusCode)
	assert.Equal(t, 200, ask(1_000_000).StatusCode)
}

func TestRetryAfterALimit(t *testing.T) {
	for limit, seconds := range map[int]int{0: 5, 1: 60, 7: 9, 60: 5, 60_000: 5} {
		assert.Equal(t, seconds, Site{RateLimit: limit}.retryLimited(), "%d per minute", limit)
	}
}
