// Package benchmark measures how fast the appliance is, and how fast its machine could be: what the
// memory gives while the engine reads its weights.
package benchmark

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/completion"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/probe"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/speed"
)

const (
	// limit is enough for a machine that reads three tokens a second and writes one in two seconds.
	limit = 8 * time.Minute
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
// waiting. ErrSlow is the one of a machine on which it takes too long.
var (
	ErrBusy = errors.New("the model is in use")
	ErrSlow = fmt.Errorf("the first answer takes more than %s", limit)
)

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
	// Asked counts how often anybody has asked the model so far.
	Asked func(ctx context.Context) (float64, error)
}

// Run measures, in a minute or a few. The error is ErrBusy if somebody asks the model before the end.
func (b Benchmark) Run(ctx context.Context) (speed.Result, error) {
	result := speed.Result{At: time.Now().UTC().Truncate(time.Second), Of: b.Of, BytesPerToken: b.BytesPerToken, Features: b.Features}
	before, err := machine.ReadTimes(b.Root)
	if err != nil {
		return result, err
	}
	// The model first: it refuses while it is in use, and then nothing else is measured.
	if err := b.ask(ctx, &result); err != nil {
		return result, err
	}
	if err := b.measureMachine(ctx, &result); err != nil {
		return result, err
	}
	after, err := machine.ReadTimes(b.Root)
	result.Stolen = after.StolenSince(before)
	return result, err
}

// measureMachine takes all processors for two seconds. If somebody asks the model meanwhile, what it measures is of
// both.
func (b Benchmark) measureMachine(ctx context.Context, result *speed.Result) error {
	before, err := b.Asked(ctx)
	if err != nil {
		return err
	}
	b.Say("the memory and the processors")
	result.Kernels = machine.Kernels(b.Root)
	result.Bandwidth = machine.Bandwidth(b.Root, b.Of.Threads)
	result.Processors = machine.Processors(b.Of.Threads)
	after, err := b.Asked(ctx)
	if err == nil && after != before {
		err = ErrBusy
	}
	return err
}

// ask has the model read a program and explain it, and then change it: the second answer repeats most
// of what it has read.
func (b Benchmark) ask(ctx context.Context, result *speed.Result) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrSlow)
	defer cancel()
	// What the engine has read once it does not read again, so prompts differ from their beginning on. Without a system
	// prompt there may be one of the template, of a thousand tokens, which it has read.
	system := completion.Message{Role: "system", Content: "Revision " + rand.Text() + " of a program. You explain it and change it."}
	program := completion.Message{Role: "user", Content: explain + code}
	b.Say("reading, and writing something new")
	first, err := b.answer(ctx, written, system, program)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if first.PromptTokens == 0 {
		return errors.New("the answer does not say how many tokens the prompt has")
	}
	result.PromptTokens, result.FirstToken = first.PromptTokens, first.Begin.Seconds()
	result.Read = rate(first.PromptTokens, first.Begin)
	result.Write = writing(first)

	if first.Text == "" {
		return nil // it reasons first, and would do so again before it repeats anything
	}
	b.Say("writing an edit")
	second, err := b.answer(ctx, edited, system, program, completion.Message{Role: "assistant", Content: first.Text}, completion.Message{Role: "user", Content: rename})
	switch {
	case errors.Is(context.Cause(ctx), ErrSlow):
		return nil // what was measured is worth knowing
	case err != nil:
		return err
	case second.Text != "":
		result.Edit = writing(second)
	}
	return nil
}

// answer returns a complete answer. A model that reasons first writes at the same speed.
func (b Benchmark) answer(ctx context.Context, tokens int, messages ...completion.Message) (completion.Result, error) {
	client := &http.Client{Transport: asBenchmark{probe.ThroughSocket(b.Socket)}}
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
type asBenchmark struct{ *http.Transport }

func (a asBenchmark) RoundTrip(r *http.Request) (*http.Response, error) {
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
