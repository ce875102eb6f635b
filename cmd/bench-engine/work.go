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
	end  func()
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

// speeds measures reading and writing.
func (r *running) speeds(ctx context.Context, text *synthetic.Text) (map[string]float64, error) {
	measured := map[string]float64{}
	for _, reading := range []struct {
		rounds.Quantity
		tokens int
	}{{readShort, 512}, {readLong, 2000}} {
		prompt, says := text.New(reading.tokens, 1)
		result, err := r.ask(ctx, prompt, says)
		if err != nil {
			return nil, err
		}
		measured[reading.Name] = float64(reading.tokens) / result.FirstToken.Seconds()
	}
	return measured, r.writing(ctx, text, measured)
}

// writing measures writing, from the first token on.
func (r *running) writing(ctx context.Context, text *synthetic.Text, measured map[string]float64) error {
	prompt, says := text.New(40, answer)
	edit, sameAgain := text.Edit(answer, edited)
	for _, writing := range []struct{ name, prompt, says string }{{writeNew.Name, prompt, says}, {writeEdit.Name, edit, sameAgain}} {
		result, err := r.ask(ctx, writing.prompt, writing.says)
		if err != nil {
			return err
		}
		measured[writing.name] = (answer - 1) / (result.Total - result.FirstToken).Seconds()
	}
	return nil
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

// turns measures what later turns cost: of a conversation alone, and then of it and another one in turn.
func (r *running) turns(ctx context.Context, text *synthetic.Text, measured map[string]float64) error {
	var one, other conversation
	var took []time.Duration
	for _, turn := range []struct {
		of     *conversation
		length int
	}{{&one, turnLength}, {&one, added}, {&other, turnLength}, {&one, added}, {&other, added}, {&one, added}, {&other, added}} {
		first, err := turn.of.turn(ctx, r, text, turn.length)
		if err != nil {
			return err
		}
		took = append(took, first)
	}
	firsts := took[0] + took[2]
	measured[second.Name] = took[1].Seconds() / took[0].Seconds()
	measured[taking.Name] = (took[3] + took[4] + took[5] + took[6]).Seconds() / 2 / firsts.Seconds()
	return nil
}
