// Package benchmark measures how fast the appliance is, and how fast its machine could be: what the
// memory gives while the engine reads its weights.
package benchmark

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/completion"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/speed"
)

const (
	// limit is enough for a machine that reads and writes three tokens a second.
	limit = 6 * time.Minute
	// written and edited are how many tokens are asked for.
	written = 128
	edited  = 192
	// fewest is the number of tokens below which an answer says nothing about speed.
	fewest = 8
)

// code is what the model reads: about 550 tokens.
//
//go:embed code.txt
var code string

const (
	explain = "Explain what this program does, one function after the other, and then what you would do better:\n\n"
	rename  = "Now rename the type Item to Article in all of the program. Answer with the whole program and nothing else."
)

// ErrBusy is the error if somebody asks the model: a benchmark neither waits for others nor keeps them
// waiting.
var ErrBusy = errors.New("the model is in use")

// Benchmark is what to measure.
type Benchmark struct {
	// Socket is the gateway's.
	Socket string
	// Root is that of /proc.
	Root string
	// Of names the model, and how many threads there are.
	Of speed.Subject
	// BytesPerToken are the weights that are read for each token.
	BytesPerToken uint64
	// Features are those of the processor.
	Features []string
	// Say tells what is measured.
	Say func(line string)
}

// Run measures, in a minute or a few. The error is ErrBusy if somebody asks the model before the end.
func (b Benchmark) Run(ctx context.Context) (speed.Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it takes more than %s", limit))
	defer cancel()
	result := speed.Result{At: time.Now().UTC().Truncate(time.Second), Of: b.Of, BytesPerToken: b.BytesPerToken, Features: b.Features}
	before, err := machine.ReadTimes(b.Root)
	if err != nil {
		return result, err
	}
	// The model first: it refuses while it is in use, and then nothing else is measured.
	if err := b.ask(ctx, &result); err != nil {
		return result, errors.Join(err, context.Cause(ctx))
	}
	b.Say("the memory and the processors")
	result.Kernels = machine.Kernels(b.Root)
	result.Bandwidth = machine.Bandwidth(b.Root, b.Of.Threads)
	result.Processors = machine.Processors(b.Of.Threads)
	after, err := machine.ReadTimes(b.Root)
	result.Stolen = after.StolenSince(before)
	return result, err
}

// ask has the model read a program and explain it, and then change it: the second answer repeats most
// of what it has read.
func (b Benchmark) ask(ctx context.Context, result *speed.Result) error {
	// What the engine has read once it does not read again.
	program := completion.Message{Role: "user", Content: fmt.Sprintf("%s// Revision %s\n%s", explain, rand.Text(), code)}
	b.Say("reading, and writing something new")
	first, err := b.answer(ctx, written, program)
	if err != nil {
		return err
	}
	if first.PromptTokens == 0 {
		return errors.New("the answer does not say how many tokens the prompt has")
	}
	result.PromptTokens, result.FirstToken = first.PromptTokens, first.Begin.Seconds()
	result.Read = rate(first.PromptTokens, first.Begin)
	result.Write = writing(first)

	b.Say("writing an edit")
	text := first.Text
	if text == "" {
		text = "A stock of goods." // all of the answer was reasoning, which is not repeated
	}
	second, err := b.answer(ctx, edited, program, completion.Message{Role: "assistant", Content: text}, completion.Message{Role: "user", Content: rename})
	if err != nil {
		return err
	}
	result.Edit = writing(second)
	return nil
}

// answer returns a complete answer. A model that reasons first writes at the same speed.
func (b Benchmark) answer(ctx context.Context, tokens int, messages ...completion.Message) (completion.Result, error) {
	client := &http.Client{Transport: &asBenchmark{http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", b.Socket)
		},
		DisableKeepAlives: true,
	}}}
	answer, err := completion.Ask(ctx, client, "http://gateway", "", completion.Request{Model: b.Of.Model, Messages: messages, MaxTokens: tokens})
	if errors.Is(err, completion.ErrReasoning) {
		err = nil
	}
	switch {
	case isBusy(err):
		return answer, ErrBusy
	case err != nil:
		return answer, err
	case answer.Tokens < fewest:
		return answer, fmt.Errorf("the model answers with %d tokens, too few to measure how fast it writes", answer.Tokens)
	}
	return answer, nil
}

// isBusy reports whether the gateway has no time for a benchmark, or has none any more.
func isBusy(err error) bool {
	var refused *completion.StatusError
	var ended *completion.StreamError
	return errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests || errors.As(err, &ended) && ended.Code == appliance.CodeGivenUp
}

// asBenchmark tells the gateway who asks.
type asBenchmark struct{ http.Transport }

func (a *asBenchmark) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(appliance.HeaderClient, appliance.BenchmarkClient)
	return a.Transport.RoundTrip(r)
}

// writing is the speed from the first token to the last.
func writing(answer completion.Result) float64 {
	return rate(answer.Tokens-1, answer.Total-answer.Begin)
}

func rate(tokens int, took time.Duration) float64 {
	return float64(tokens) / max(took, time.Millisecond).Seconds()
}
