package agentstest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
)

// mostAgain is how much the engine may read, of what is new: a little is lost at the end of each
// prompt, as the template writes what the model has said in another way.
const mostAgain = 1.2

// turns is a task of ten calls of a tool, each of which is a request of its own.
func (a agent) turns(name string) string {
	var prompt strings.Builder
	prompt.WriteString("Do this.\n")
	for turn := range 10 {
		prompt.WriteString(a.call(fmt.Sprintf("echo turn %d of %s", turn, name)))
	}
	return prompt.String() + "Say: The work is finished."
}

// continued is the agent with two more prompts in the same conversation, if it can go on with one:
// between these, some agents ask for memories and titles.
func (a agent) continued() agent {
	if a.again != "" {
		a.command += "\nPROMPT='Say: The first addition is finished.'\n" + a.again +
			"\nPROMPT='Say: The second addition is finished.'\n" + a.again
	}
	return a
}

// Over ten turns with tool calls and two more prompts the engine reads what is new, and hardly
// anything twice.
func TestTurnsAreReadOnce(t *testing.T) {
	t.Parallel()
	for _, agent := range agents {
		t.Run(agent.name, func(t *testing.T) {
			e := &engine{}
			s := agent.continued().run(t, start(t, e, 2*window).Appliance, agent.turns("one"), patience)
			require.NoError(t, s.err)
			e.assertReadOnce(t)
		})
	}
}

// The same for two people at once, on two agents.
func TestTurnsOfTwoAreReadOnce(t *testing.T) {
	t.Parallel()
	e := &engine{}
	m := start(t, e, 2*window)
	var both sync.WaitGroup
	for _, name := range []string{"Claude Code", "OpenCode"} {
		for _, agent := range agents {
			if agent.name == name {
				both.Go(func() {
					s := agent.run(t, m.Appliance, agent.turns(name), patience)
					assert.NoError(t, s.err)
				})
			}
		}
	}
	both.Wait()
	e.assertReadOnce(t)
}

func (e *engine) assertReadOnce(t *testing.T) {
	t.Helper()
	read, unread := e.readAndNew()
	require.Greater(t, len(e.asked()), 10)
	require.Positive(t, unread)
	t.Logf("%d bytes of prompts were read, %d were new: %.2f", read, unread, float64(read)/float64(unread))
	assert.LessOrEqual(t, float64(read)/float64(unread), mostAgain)
}

// mostOfSession is how much of its first prompt a new session reads, in a folder of its own, where
// system prompts are divided. Most of a system prompt is fixed, and all tools are.
const mostOfSession = 0.35

func TestANewSessionReadsWhatDiffers(t *testing.T) {
	t.Parallel()
	for _, agent := range agents {
		t.Run(agent.name, func(t *testing.T) {
			e := &engine{}
			m := start(t, e, 2*window, func(c *gateway.Config) { c.StablePrompts = true })
			for _, name := range []string{"first", "second", "third"} {
				s := agent.run(t, m.Appliance, "Say: The "+name+" session is finished.", patience)
				require.NoError(t, s.err)
				assert.Contains(t, s.said, "The "+name+" session is finished.")
			}
			last := e.longest()
			t.Logf("of %d bytes of the prompt %d were read: %.2f", last.Prompt, last.Read, float64(last.Read)/float64(last.Prompt))
			assert.LessOrEqual(t, float64(last.Read)/float64(last.Prompt), mostOfSession)
		})
	}
}
