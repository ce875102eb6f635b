package agentstest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// window is the context size of an appliance by default, in tokens.
	window = 32768
	// patience is for machines that do much else.
	patience = 10 * time.Minute
)

// Each agent runs the command that the model asks for, tells the model what came out, and shows
// its answer.
func TestToolCall(t *testing.T) {
	t.Parallel()
	m := start(t, &engine{}, window)
	for _, agent := range agents {
		t.Run(agent.name, func(t *testing.T) {
			s := agent.run(t, m.Appliance, "Do this.\n"+agent.call("printf done > proof")+"Say: The work is finished.", patience)
			require.NoError(t, s.err)
			proof, err := os.ReadFile(filepath.Join(s.work, "proof"))
			require.NoError(t, err, "it did not run the command")
			assert.Equal(t, "done", string(proof))
			assert.Contains(t, s.said, "The work is finished.")
		})
	}
}

// The engine is silent for longer than the agents bear by themselves: 300 s most of them. None
// gives up and asks again.
func TestSilence(t *testing.T) {
	t.Parallel()
	const silence = 330 * time.Second
	for _, agent := range agents {
		t.Run(agent.name, func(t *testing.T) {
			t.Parallel()
			e := &engine{silence: silence}
			s := agent.run(t, start(t, e, window).Appliance, "Do this.\nSay: It was worth the time.", silence+patience)
			require.NoError(t, s.err)
			assert.Contains(t, s.said, "It was worth the time.")
			assert.GreaterOrEqual(t, s.took, silence)
			for _, chat := range e.asked()[1:] {
				// What OpenCode asks for besides waits for its turn in the queue.
				if chat.after < silence {
					assert.Fail(t, "it asked again", "after %s: %s", chat.after, chat.last)
				}
			}
		})
	}
}

// A conversation outgrows the context: each agent has it summarized and goes on, most of them ahead
// of time, as their settings name the context size.
func TestSummary(t *testing.T) {
	t.Parallel()
	for _, agent := range agents {
		t.Run(agent.name, func(t *testing.T) { agent.outgrow(t, window) })
	}
}

// A prompt is too long, as the settings name twice the context that there is: the agents that act
// on the error have the conversation summarized and go on.
func TestSummaryAfterRefusal(t *testing.T) {
	t.Parallel()
	for _, agent := range agents {
		if agent.refused {
			t.Run(agent.name, func(t *testing.T) { assert.True(t, agent.outgrow(t, 2*window).refused(t)) })
		}
	}
}

// outgrow has the agent work until the conversation is too long, with settings that name a context
// size.
func (a agent) outgrow(t *testing.T, contextSize int) machine {
	t.Helper()
	e := &engine{summary: a.summary}
	m := start(t, e, window)
	settings := m.Appliance
	settings.ContextSize = contextSize
	var prompt strings.Builder
	prompt.WriteString("Do this.\n")
	for step := range a.steps {
		prompt.WriteString(a.call(output(step)))
	}
	s := a.run(t, settings, prompt.String(), patience)
	asked := e.asked()
	for _, chat := range asked {
		t.Logf("after %s the engine was asked: %.80s", chat.after, chat.last)
	}
	at := slices.IndexFunc(asked, func(c chat) bool { return c.summary })
	require.GreaterOrEqual(t, at, 0, "the conversation was not summarized")
	assert.NotEmpty(t, asked[at+1:], "it did not go on with the summary")
	if !a.shows || !m.refused(t) {
		assert.NoError(t, s.err)
	}
	return m
}
