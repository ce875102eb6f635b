package main

import (
	"context"
	"fmt"
	"net/http"
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
	// load is how long it took from its start until the model was loaded.
	load time.Duration
	// openMP says that its threads are libgomp's.
	openMP bool
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
	result, err := completion.Stream(ctx, r.client, r.url, appliance.ModelID, "", prompt, tokens)
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

// speeds measure reading and writing.
func (r *running) speeds(text *synthetic.Text) []step {
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

func (r *running) reading(ctx context.Context, text *synthetic.Text, name string, tokens int) (map[string]float64, error) {
	prompt, says := text.New(tokens, 1)
	result, err := r.ask(ctx, prompt, says)
	return map[string]float64{name: float64(tokens) / result.FirstToken.Seconds()}, err
}

// writing measures from the first token on.
func (r *running) writing(ctx context.Context, name, prompt, says string) (map[string]float64, error) {
	result, err := r.ask(ctx, prompt, says)
	return map[string]float64{name: (answer - 1) / (result.Total - result.FirstToken).Seconds()}, err
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
