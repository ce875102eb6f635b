package acceptance

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/completion"
)

const (
	// freedWithin is how long the engine may go on for a client that has gone, besides twice the time that a
	// first token took before, which allows for a slow guest.
	freedWithin = 10 * time.Second
	// longestSilence is more than the 10 seconds between two signs of life of the gateway.
	longestSilence = 15 * time.Second
	// shortReading is a time until the first token that is mostly not spent on reading.
	shortReading = 2 * time.Second
)

// fourAnswered asks for little: on a slow host all four wait for each other.
func fourAnswered(ctx context.Context, t *Target) (string, error) {
	const clients = 4
	answers := make(chan error, clients)
	for range clients {
		go func() {
			answer, err := t.chat(ctx, user("one"))
			if err == nil {
				err = answer.expect(http.StatusOK)
			}
			answers <- err
		}()
	}
	var failed []error
	for range clients {
		if err := <-answers; err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return "", fmt.Errorf("%d of %d were not answered: %w", len(failed), clients, errors.Join(failed...))
	}
	return "", nil
}

// goneClientFrees asks for an answer of minutes, leaves at its first token, and asks for a short one.
func goneClientFrees(within time.Duration) func(context.Context, *Target) (string, error) {
	const long, longAnswer = "Write the numbers from one to a thousand in words.", 2048
	return func(ctx context.Context, t *Target) (string, error) {
		before, err := t.begin(ctx, long, longAnswer)
		if err != nil {
			return "", err
		}
		within := within + 2*before.untilFirst
		next, cancel := context.WithTimeoutCause(ctx, within,
			fmt.Errorf("the engine did not answer within %s after a client had left in the middle of an answer", within.Round(time.Millisecond)))
		defer cancel()
		after, err := t.begin(next, long, 2)
		if err != nil {
			if next.Err() != nil {
				err = context.Cause(next)
			}
			return "", err
		}
		return fmt.Sprintf("the next one had its first token after %s", after.untilFirst.Round(time.Millisecond)), nil
	}
}

// signsOfLife makes the engine read for longer than a silence may be, if it is not too fast for that. The first prompt
// finds out how fast it is, so that a slow one need not read the second.
func signsOfLife(silence time.Duration) func(context.Context, *Target) (string, error) {
	const few, many = 50, 1000
	return func(ctx context.Context, t *Target) (string, error) {
		model, err := t.listed(ctx)
		if err != nil {
			return "", err
		}
		most := min(many, model.contextLength()/4)
		began, err := t.begin(ctx, newText(min(few, most)), 2)
		if enough := silence + silence/2; err == nil && began.untilFirst < enough {
			words := min(float64(most), few*enough.Seconds()/began.untilFirst.Seconds())
			began, err = t.begin(ctx, newText(int(words)), 2)
		}
		if err != nil {
			return "", err
		}
		after := began.untilFirst.Round(time.Millisecond)
		switch {
		case began.silence > silence:
			return "", fmt.Errorf("the stream was silent for %s before its first token, after %s: clients give up", began.silence.Round(time.Millisecond), after)
		case began.signs == 0:
			return fmt.Sprintf("none was needed: the first token came after %s", after), nil
		}
		return fmt.Sprintf("%d in %s, silent for %s at most", began.signs, after, began.silence.Round(time.Millisecond)), nil
	}
}

// secondTurnSooner compares only where the first turn took longer than short.
func secondTurnSooner(short time.Duration) func(context.Context, *Target) (string, error) {
	return func(ctx context.Context, t *Target) (string, error) {
		said := []completion.Message{{Role: "user", Content: newText(60)}}
		first, err := t.turn(ctx, said)
		if err != nil {
			return "", err
		}
		if first.Begin <= short {
			return fmt.Sprintf("nothing to compare: the first turn began after %s", first.Begin.Round(time.Millisecond)), nil
		}
		second, err := t.turn(ctx, append(said, completion.Message{Role: "assistant", Content: first.Text}, completion.Message{Role: "user", Content: "go on"}))
		if err != nil {
			return "", err
		}
		times := fmt.Sprintf("the first turn began after %s, the second after %s", first.Begin.Round(time.Millisecond), second.Begin.Round(time.Millisecond))
		if second.Begin > first.Begin {
			return "", errors.New(times + ": the conversation was read again")
		}
		return times, nil
	}
}

// turn asks for few tokens, which may all be reasoning.
func (t *Target) turn(ctx context.Context, messages []completion.Message) (completion.Result, error) {
	result, err := completion.Ask(ctx, t.Client(), t.BaseURL(), t.Password, completion.Request{Model: t.Model, Messages: messages, MaxTokens: fewTokens})
	if errors.Is(err, completion.ErrReasoning) {
		err = nil
	}
	return result, err
}

// newText is a prompt of about so many tokens that the engine has not read before.
func newText(words int) string {
	return strconv.FormatInt(time.Now().UnixNano(), 36) + strings.Repeat(" x", words)
}

// beginning is what came of a stream until its first event.
type beginning struct {
	// untilFirst is the time to the first event, silence the longest one in which nothing came.
	untilFirst, silence time.Duration
	// signs is the number of comments.
	signs int
}

// begin reads a stream up to its first event, which the engine sends with the first token, and leaves.
func (t *Target) begin(ctx context.Context, text string, tokens int) (beginning, error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.BaseURL()+appliance.PathChat, nil)
	if err != nil {
		return beginning{}, err
	}
	t.authorized(request)
	jsonBody(map[string]any{"model": t.Model, "messages": user(text), "max_tokens": tokens, "stream": true})(request)
	var began beginning
	asked := time.Now()
	heard := asked
	hear := func() {
		began.silence = max(began.silence, time.Since(heard))
		heard = time.Now()
	}
	response, err := t.Client().Do(request)
	if err != nil {
		return beginning{}, err
	}
	defer response.Body.Close()
	hear()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxBody)
	for lines.Scan() {
		hear()
		switch line := lines.Bytes(); {
		case response.StatusCode != http.StatusOK || bytes.HasPrefix(line, []byte(`data: {"error"`)):
			return beginning{}, fmt.Errorf("expected a stream, got status %d: %q", response.StatusCode, quoted(line))
		case bytes.HasPrefix(line, []byte(":")):
			began.signs++
		case bytes.HasPrefix(line, []byte("data:")):
			began.untilFirst = time.Since(asked)
			return began, nil
		}
	}
	if err := lines.Err(); err != nil {
		return beginning{}, err
	}
	return beginning{}, fmt.Errorf("the stream ended before its first event, with status %d", response.StatusCode)
}
