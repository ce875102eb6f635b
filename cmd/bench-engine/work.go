package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/cmd/bench-engine/rounds"
	"github.com/slm-copilot/packer-plugin-slm-copilot/cmd/bench-engine/synthetic"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/completion"
)

// running is a server with a loaded model.
type running struct {
	url    string
	client *http.Client
	// key is LocalAI's own; empty where none is asked for.
	key string
	// load is how long it took from its start until the model was loaded.
	load time.Duration
	// openMP says that its threads are libgomp's.
	openMP bool
	// pids are those of all its processes.
	pids func() []int
	// halt and resume are those of llama-server alone.
	halt, resume func()
	end          func()
}

// What is measured.
var (
	readShort = rounds.Quantity{Name: "reading 512", Unit: "tokens/s"}
	readLong  = rounds.Quantity{Name: "reading 2,000", Unit: "tokens/s"}
	writeNew  = rounds.Quantity{Name: "writing new text", Unit: "tokens/s"}
	writeEdit = rounds.Quantity{Name: "writing an edit", Unit: "tokens/s"}
	second    = rounds.Quantity{Name: "second turn", Unit: "of the first turn's time to the first token"}
	taking    = rounds.Quantity{Name: "conversations in turn", Unit: "of the first turns' time to the first token"}
	loading   = rounds.Quantity{Name: "loading", Unit: "s"}
)

const (
	// answer is how many tokens are written, new or as an edit of a text that differs in one of every edited.
	answer, edited = 160, 60
	// turnLength and added are the tokens of a first prompt and of each later one. Coding agents have first prompts of
	// 1,300 to 17,000, and add 20 to 400 (docs/performance.md).
	turnLength, added = 2000, 60
	turnAnswer        = 16
)

// ask returns what a prompt was answered; it is an error if that is not what the model is made to say.
func (r *running) ask(ctx context.Context, prompt, says string) (completion.Result, error) {
	tokens := strings.Count(says, " ")
	result, err := completion.Stream(ctx, r.client, r.url, appliance.ModelID, r.key, prompt, tokens)
	if err != nil {
		return result, err
	}
	if strings.Join(strings.Fields(result.Text), " ") != strings.TrimSpace(says) {
		return result, fmt.Errorf("the answer is %.80q, and should be %.80q: is the model one that `bench-engine model` wrote?", result.Text, says)
	}
	return result, nil
}

// step measures something.
type step = func(ctx context.Context) (map[string]float64, error)

// work measures reading and writing.
func (r *running) work(text *synthetic.Text) []step {
	return []step{
		func(ctx context.Context) (map[string]float64, error) {
			return r.reading(ctx, text, readShort.Name, 512)
		},
		func(ctx context.Context) (map[string]float64, error) {
			return r.reading(ctx, text, readLong.Name, 2000)
		},
		func(ctx context.Context) (map[string]float64, error) {
			prompt, says := text.New(40, answer)
			return r.writing(ctx, writeNew.Name, prompt, says)
		},
		func(ctx context.Context) (map[string]float64, error) {
			prompt, says := text.Edit(answer, edited)
			return r.writing(ctx, writeEdit.Name, prompt, says)
		},
	}
}

// alone has a server run while it is measured, and no longer.
func (r *running) alone(steps []step) []step {
	r.halt()
	for i, measure := range steps {
		steps[i] = func(ctx context.Context) (map[string]float64, error) {
			r.resume()
			defer r.halt()
			return measure(ctx)
		}
	}
	return steps
}

// reading measures a prompt, to its first token.
func (r *running) reading(ctx context.Context, text *synthetic.Text, name string, tokens int) (map[string]float64, error) {
	prompt, says := text.New(tokens, 1)
	result, used, err := r.counted(ctx, prompt, says)
	return speeds(name, tokens, result.FirstToken, used), err
}

// writing measures an answer from its first token on. The prompt is asked for that token first, so that the engine has read
// it.
func (r *running) writing(ctx context.Context, name, prompt, says string) (map[string]float64, error) {
	first, _, _ := strings.Cut(says[1:], " ")
	if _, err := r.ask(ctx, prompt, " "+first); err != nil {
		return nil, err
	}
	result, used, err := r.counted(ctx, prompt, says)
	return speeds(name, answer-1, result.Total-result.FirstToken, used), err
}

// speeds returns tokens a second by the clock, and by the time of the processors.
func speeds(name string, tokens int, took, used time.Duration) map[string]float64 {
	return map[string]float64{name: float64(tokens) / took.Seconds(), byProcessor(name): float64(tokens) / used.Seconds()}
}

func byProcessor(name string) string { return name + ", of processor time" }

// counted asks, and returns the time of the processors that the answer took too.
func (r *running) counted(ctx context.Context, prompt, says string) (completion.Result, time.Duration, error) {
	before, err := processorTime(r.pids())
	if err != nil {
		return completion.Result{}, 0, err
	}
	result, err := r.ask(ctx, prompt, says)
	if err != nil {
		return result, 0, err
	}
	after, err := processorTime(r.pids())
	return result, after - before, err
}

// tick is the unit of /proc/PID/stat: USER_HZ is 100 on every architecture that Go knows.
const tick = 10 * time.Millisecond

// processorTime returns how long processes, with all their threads, have run on processors.
func processorTime(pids []int) (all time.Duration, err error) {
	for _, pid := range pids {
		path := fmt.Sprintf("/proc/%d/stat", pid)
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, fmt.Errorf("read how long a server has computed: %w", err)
		}
		// The name is in parentheses and may contain any character; the state is next, field 3 of proc_pid_stat(5).
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		const user, system = 14 - 3, 15 - 3
		if len(fields) <= system {
			return 0, fmt.Errorf("read how long a server has computed: %s has %d fields after the name", path, len(fields))
		}
		for _, field := range []string{fields[user], fields[system]} {
			ticks, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read how long a server has computed: %s: %w", path, err)
			}
			all += time.Duration(ticks) * tick
		}
	}
	return all, nil
}

// conversation is one that grows.
type conversation struct{ soFar string }

// turn adds a question, has it answered, and returns the time to the first token.
func (c *conversation) turn(ctx context.Context, r *running, text *synthetic.Text, length int) (time.Duration, error) {
	question, says := text.New(length, turnAnswer)
	c.soFar += question
	result, err := r.ask(ctx, c.soFar, says)
	c.soFar += says
	return result.FirstToken, err
}

// turns measure what later turns cost: of a conversation alone, and then of it and another one in turn.
func (r *running) turns(text *synthetic.Text) []step {
	var one, other conversation
	var first time.Duration
	return []step{
		func(ctx context.Context) (map[string]float64, error) {
			var err error
			if first, err = one.turn(ctx, r, text, turnLength); err != nil {
				return nil, err
			}
			next, err := one.turn(ctx, r, text, added)
			return map[string]float64{second.Name: next.Seconds() / first.Seconds()}, err
		},
		func(ctx context.Context) (map[string]float64, error) {
			firsts, err := other.turn(ctx, r, text, turnLength)
			if err != nil {
				return nil, err
			}
			firsts += first
			var later time.Duration
			for _, of := range []*conversation{&one, &other, &one, &other} {
				took, err := of.turn(ctx, r, text, added)
				if err != nil {
					return nil, err
				}
				later += took / 2
			}
			return map[string]float64{taking.Name: later.Seconds() / firsts.Seconds()}, nil
		},
	}
}
