package acceptance

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slowly answers chats after pauses, each of which ends in a sign of life or, the last one, in an answer.
func slowly(pauses ...time.Duration) func(http.ResponseWriter, *http.Request) bool {
	return on("/v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i, pause := range pauses {
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
				return
			}
			if i < len(pauses)-1 {
				_, _ = io.WriteString(w, ": reading the prompt\n\n")
				_ = http.NewResponseController(w).Flush()
			}
		}
		stream(w, "one", " two")
	})
}

func TestASilentStreamIsFound(t *testing.T) {
	t.Parallel()
	const pause = 300 * time.Millisecond
	silent := fake{https: slowly(pause)}.start(t)
	_, err := signsOfLife(pause/2)(t.Context(), silent)
	assert.ErrorContains(t, err, "the stream was silent for ")

	// The pauses of the fake say nothing about its speed, so the second prompt is as long as the first.
	lively := fake{https: slowly(0, pause/3, pause/3)}.start(t)
	detail, err := signsOfLife(time.Minute)(t.Context(), lively)
	require.NoError(t, err)
	assert.Regexp(t, `^2 in .*, silent for .* at most$`, detail)

	detail, err = signsOfLife(time.Minute)(t.Context(), fake{}.start(t))
	require.NoError(t, err)
	assert.Contains(t, detail, "none was needed: the first token came after ")
}

// The faster the engine, the longer is what it reads, up to a thousand words.
func TestAFastEngineReadsALongerPrompt(t *testing.T) {
	t.Parallel()
	var lengths []int64
	counting := fake{https: func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v1/chat/completions" {
			lengths = append(lengths, r.ContentLength)
		}
		return false
	}}.start(t)
	_, err := signsOfLife(time.Minute)(t.Context(), counting)
	require.NoError(t, err)
	require.Len(t, lengths, 2)
	assert.Equal(t, int64(950*len(" x")), lengths[1]-lengths[0])
}

func TestAStreamThatDoesNotBegin(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string]http.HandlerFunc{
		`expected a stream, got status 500: "no"`:                  status(500, "no"),
		"the stream ended before its first event, with status 200": stream200(": nothing\n\n"),
		`expected a stream, got status 200: "data: {\"error\"`:     stream200(`data: {"error":{"message":"no"}}` + "\n\n"),
	} {
		target := fake{https: on("/v1/chat/completions", answer)}.start(t)
		for _, check := range []Check{find(t, "signs of life while a prompt is read"), find(t, "a client that goes away frees the engine")} {
			_, err := check.Run(t.Context(), target)
			assert.ErrorContains(t, err, want, check.Name)
		}
	}
}

// deaf goes on with the first chat, whether or not somebody listens.
func deaf(t *testing.T) func(http.ResponseWriter, *http.Request) bool {
	var busy atomic.Bool
	return on("/v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		if busy.CompareAndSwap(false, true) {
			serveHTTPS(w, r)
			return
		}
		select {
		case <-t.Context().Done():
		case <-r.Context().Done():
		}
	})
}

func TestAnEngineThatWorksForNobodyIsFound(t *testing.T) {
	t.Parallel()
	_, err := goneClientFrees(100*time.Millisecond)(t.Context(), fake{https: deaf(t)}.start(t))
	assert.ErrorContains(t, err, "after a client had left in the middle of an answer")
	detail, err := goneClientFrees(time.Minute)(t.Context(), fake{}.start(t))
	require.NoError(t, err)
	assert.Contains(t, detail, "the next one had its first token after ")
}

// turns answers first and later turns after a time each.
func turns(first, later time.Duration) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/chat/completions" {
			return false
		}
		body, err := io.ReadAll(r.Body)
		pause := first
		if err != nil || strings.Contains(string(body), "assistant") {
			pause = later
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		return slowly(pause)(w, r)
	}
}

func TestAConversationThatIsReadAgainIsFound(t *testing.T) {
	t.Parallel()
	const little, much = 50 * time.Millisecond, 300 * time.Millisecond
	_, err := secondTurnSooner(little)(t.Context(), fake{https: turns(little, much)}.start(t))
	assert.ErrorContains(t, err, "the conversation was read again")
	detail, err := secondTurnSooner(little)(t.Context(), fake{https: turns(much, little)}.start(t))
	require.NoError(t, err)
	assert.Regexp(t, `^the first turn began after .*, the second after `, detail)
	detail, err = secondTurnSooner(time.Minute)(t.Context(), fake{https: turns(little, much)}.start(t))
	require.NoError(t, err)
	assert.Contains(t, detail, "nothing to compare")
	_, err = secondTurnSooner(0)(t.Context(), fake{https: on("/v1/chat/completions", status(500, "no"))}.start(t))
	assert.ErrorContains(t, err, "HTTP 500")
}
