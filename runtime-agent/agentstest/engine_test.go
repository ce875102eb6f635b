package agentstest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

// engine stands before the stand-in for LocalAI, and remembers what that is asked.
type engine struct {
	// silence is how long nothing is answered, from the first chat on.
	silence time.Duration
	// summary, unless nil, is found where a conversation is summarized. From then on the model calls
	// no more tools: it would begin again, as it sees no calls that were made.
	summary *regexp.Regexp

	mutex      sync.Mutex
	began      time.Time
	chats      []chat
	summarized bool
	// current is what the engine is asked at the moment, and reads are what it read for each.
	current string
	reads   map[string][]localaitest.Reading
}

// chat is what the engine was asked.
type chat struct {
	// after is the time since the first one.
	after time.Duration
	// last is the last message, in JSON.
	last string
	// summary says that it was found.
	summary bool
}

// before returns a handler that hands what it is asked to the stand-in.
func (e *engine) before(standIn http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != appliance.PathChat {
			standIn.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body) // the stand-in says what is wrong with it
		e.begin(body)
		wait, calls := e.remember(body)
		if !calls {
			body = bytes.ReplaceAll(body, []byte("Call: "), []byte("Done: "))
		}
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		standIn.ServeHTTP(w, r)
	})
}

// remember returns how much longer the engine is silent, and whether it may call tools.
func (e *engine) remember(body []byte) (wait time.Duration, calls bool) {
	var asked struct {
		Messages []json.RawMessage `json:"messages"`
	}
	_ = json.Unmarshal(body, &asked) // as above
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.began.IsZero() {
		e.began = time.Now()
	}
	one := chat{after: time.Since(e.began)}
	if n := len(asked.Messages); n > 0 {
		one.last = string(asked.Messages[n-1])
	}
	one.summary = e.summary != nil && e.summary.Match(body)
	e.chats = append(e.chats, one)
	calls = !e.summarized
	e.summarized = e.summarized || one.summary
	return e.silence - one.after, calls
}

// begin notes what kind of question the engine is asked: a conversation has the same tools all the
// time, and what an agent asks besides has others.
func (e *engine) begin(body []byte) {
	var asked struct {
		Tools []struct {
			Function struct {
				Name string `json:"name"`
			} `json:"function"`
		} `json:"tools"`
	}
	_ = json.Unmarshal(body, &asked) // as above
	names := make([]string, len(asked.Tools))
	for i, tool := range asked.Tools {
		names[i] = tool.Function.Name
	}
	slices.Sort(names) // the gateway may put some of them last
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.current = strings.Join(names, " ")
}

// read notes what the engine read for what it was asked last: it is asked one thing at a time.
func (e *engine) read(reading localaitest.Reading) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.reads == nil {
		e.reads = map[string][]localaitest.Reading{}
	}
	e.reads[e.current] = append(e.reads[e.current], reading)
}

// readAndNew returns how many bytes of prompts the engine read, and how many were new: by so many the prompts
// of each kind grew.
func (e *engine) readAndNew() (read, unread int) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	for _, readings := range e.reads {
		longest := 0
		for _, reading := range readings {
			read += reading.Read
			unread += max(0, reading.Prompt-longest)
			longest = max(longest, reading.Prompt)
		}
	}
	return read, unread
}

// longest returns what the engine read last for the longest kind of question: the task itself.
func (e *engine) longest() (last localaitest.Reading) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	for _, readings := range e.reads {
		if of := readings[len(readings)-1]; of.Prompt > last.Prompt {
			last = of
		}
	}
	return last
}

// asked returns what the engine was asked so far.
func (e *engine) asked() []chat {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return slices.Clone(e.chats)
}
