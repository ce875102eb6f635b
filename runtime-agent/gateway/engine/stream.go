package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
)

// Event is one event of an answer.
type Event struct {
	// Raw is the event as it goes to a client of Chat Completions: byte for byte what the engine
	// sent, unless that was wrong.
	Raw []byte
	// Chunk is what it says.
	Chunk chat.Chunk
	// Done is true for the last one, whose chunk has the numbers of tokens and nothing else.
	Done bool
}

// Stream is an answer of the engine, put right:
//
//   - An error is an error: LocalAI v4.9.0 sends that of a prompt which is too long as text first.
//   - An answer that ends where the context ends has the finish reason "length", not "stop", and so
//     has one that ends in the middle of a tool call.
//   - A tool call that LocalAI finds twice, in what the backend calls and in the text, is
//     delivered once.
//   - What ends without "[DONE]" is an error, and so is an answer that says nothing for a prompt of
//     no tokens: the backend of LocalAI v4.9.0 loses errors that come while it reads the prompt.
type Stream struct {
	body        io.ReadCloser
	events      *sse.Reader
	contextSize int
	usage       bool

	// ready are events that may be delivered, held those that may not yet.
	ready, held []Event
	begun       bool
	// ending is true once calls or a finish reason are held: nothing overtakes them.
	ending bool
}

func newStream(body io.ReadCloser, contextSize int, usage bool) *Stream {
	return &Stream{body: body, events: sse.NewReader(body), contextSize: contextSize, usage: usage}
}

// Close ends the answer; the engine stops computing it.
func (s *Stream) Close() error { return s.body.Close() }

// Next returns the next event; after the one that is Done there is none. The error is a
// *failure.Error.
func (s *Stream) Next() (Event, error) {
	for len(s.ready) == 0 {
		event, err := s.read()
		if err != nil {
			return Event{}, err
		}
		if err := s.take(event); err != nil {
			return Event{}, err
		}
	}
	event := s.ready[0]
	s.ready = s.ready[1:]
	return event, nil
}

// wire is what the data of an event may be.
type wire struct {
	chat.Chunk
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func (s *Stream) read() (Event, error) {
	for {
		read, err := s.events.Next()
		switch {
		case err != nil:
			return Event{}, cut(err)
		case read.Data == nil:
			continue // a comment, or the second of two empty lines
		case string(read.Data) == "[DONE]":
			return Event{Raw: read.Raw, Done: true}, nil
		}
		var said wire
		if err := json.Unmarshal(read.Data, &said); err != nil {
			return Event{}, cut(fmt.Errorf("an event of the engine is not JSON: %w", err))
		}
		if said.Error != nil {
			return Event{}, failure.OfEngineStream(said.Error.Message)
		}
		if message := errorAsText(said.Chunk); message != "" {
			return Event{}, failure.OfEngineStream(message)
		}
		return Event{Raw: read.Raw, Chunk: said.Chunk}, nil
	}
}

// errorAsText returns the error that a plain completion ends with: LocalAI v4.9.0 sends it as the last
// text, and no "[DONE]".
func errorAsText(chunk chat.Chunk) string {
	for _, choice := range chunk.Choices {
		if choice.Text != nil && choice.FinishReason != nil && strings.HasPrefix(*choice.Text, "Internal error: rpc error: ") {
			return *choice.Text
		}
	}
	return ""
}

// cut is for an answer that ends before its end.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return failure.Cut(err)
}

// take decides when an event is delivered. One with a role, or with the text of an error, waits for
// the first one that shows that this is an answer; calls and finish reason wait for the last ones.
func (s *Stream) take(event Event) error {
	switch {
	case event.Done && s.lost():
		return failure.Cut(errLost)
	case event.Done:
		event.Chunk.Usage = usageOf(s.held)
		s.ready = append(s.settle(), event)
	case event.Chunk.Usage != nil:
		s.held = append(s.held, event)
	case ends(event) || calls(event):
		s.begun, s.ending = true, true
		s.held = append(s.held, event)
	case s.ending:
		s.held = append(s.held, event)
	case !s.begun && (text(event) == "" || failure.IsOverflow(text(event))):
		s.held = append(s.held, event)
	default:
		s.begun = true
		s.ready, s.held = slices.Concat(s.held, []Event{event}), nil
	}
	return nil
}

var errLost = errors.New("the engine answered with no token to a prompt of no tokens")

// lost reports whether the answer stands for an error of the backend. What plain completions cost is
// never told.
func (s *Stream) lost() bool {
	usage := usageOf(s.held)
	return usage != nil && usage.PromptTokens+usage.CompletionTokens == 0 &&
		// The event with the numbers says that it is of a chat, whatever the answer is.
		slices.ContainsFunc(s.held, func(event Event) bool { return ends(event) && event.Chunk.Object == chat.ChunkObject })
}

// usageOf returns the numbers of tokens that one of the events tells.
func usageOf(events []Event) *chat.Usage {
	for _, event := range events {
		if event.Chunk.Usage != nil {
			return event.Chunk.Usage
		}
	}
	return nil
}

func ends(event Event) bool {
	return len(event.Chunk.Choices) > 0 && event.Chunk.Choices[0].FinishReason != nil
}

func calls(event Event) bool {
	return len(event.Chunk.Choices) > 0 && len(event.Chunk.Choices[0].Delta.ToolCalls) > 0
}

// text returns what an event adds to the answer.
func text(event Event) string {
	var all strings.Builder
	for _, choice := range event.Chunk.Choices {
		for _, part := range []*string{choice.Text, choice.Delta.Content, &choice.Delta.Reasoning} {
			if part != nil {
				all.WriteString(*part)
			}
		}
	}
	return all.String()
}

// settle returns the held events as they should be, now that all are there.
func (s *Stream) settle() []Event {
	held := s.onceEach(s.held)
	if s.full(held) {
		tooShort(held, chat.Stop)
	}
	if slices.ContainsFunc(collect(held), call.cut) {
		tooShort(held, chat.ToolCalls)
	}
	if !s.usage {
		held = slices.DeleteFunc(held, func(event Event) bool { return event.Chunk.Usage != nil && len(event.Chunk.Choices) == 0 })
	}
	s.held = nil
	return held
}

// full reports whether the answer ended because the context did.
func (s *Stream) full(events []Event) bool {
	usage := usageOf(events)
	return usage != nil && usage.PromptTokens+usage.CompletionTokens >= s.contextSize
}

// tooShort makes "length" of a finish reason.
func tooShort(events []Event, wrong string) {
	for i := range events {
		event := &events[i]
		for j := range event.Chunk.Choices {
			if reason := event.Chunk.Choices[j].FinishReason; reason != nil && *reason == wrong {
				event.Chunk.Choices[j].FinishReason = chat.Text(chat.Length)
				event.Raw = sse.Data(event.Chunk)
			}
		}
	}
}
