package beginning_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/beginning"
)

const (
	rules = "You are an agent. Follow the rules that stand here."
	more  = "Be brief, and do not say what you did. Nobody wants to read that."
	tools = `[{"type":"function"}]`
)

func folder(name string) string { return "You work in /home/" + name + "." }

// session is the first prompt of a session in a folder, as most agents write it.
func session(conversation, name string) beginning.Prompt {
	return beginning.Prompt{
		Program: "Qwen Code", Conversation: conversation, System: strings.Join([]string{rules, folder(name), more}, "\n\n"), Tools: json.RawMessage(tools),
	}
}

func TestWhatDiffersBetweenSessionsMoves(t *testing.T) {
	k := beginning.New(true, nil)
	stays, moves := k.Divide(session("1", "a"))
	assert.Equal(t, session("1", "a").System, stays, "nothing is known to differ yet")
	assert.Empty(t, moves)

	for conversation, name := range map[string]string{"2": "b", "3": "c", "4": "a"} {
		for range 3 {
			stays, moves = k.Divide(session(conversation, name))
			assert.Equal(t, rules+"\n\n"+more, stays)
			assert.Equal(t, folder(name), moves)
		}
	}
	stays, _ = k.Divide(session("1", "a"))
	assert.Equal(t, session("1", "a").System, stays, "the engine would read it again")
	assert.Equal(t, []beginning.Beginning{{Program: "Qwen Code", System: rules + "\n\n" + more, Tools: json.RawMessage(tools)}}, k.Beginnings())

	clock := session("5", "a")
	clock.System += "\n\nIt is 12:07."
	_, moves = k.Divide(clock)
	assert.Equal(t, folder("a")+"\n\nIt is 12:07.", moves)
}

// Sub-agents and other modes have prompts of their own.
func TestKindsAreToldApart(t *testing.T) {
	k := beginning.New(true, nil)
	k.Divide(session("1", "a"))
	for i, edit := range []func(*beginning.Prompt){
		func(p *beginning.Prompt) { p.Program = "Cline" },
		func(p *beginning.Prompt) { p.Tools = json.RawMessage(`[]`) },
		func(p *beginning.Prompt) {
			p.System = "You are a sub-agent, and search the folder " + strings.Repeat("b", 100)
		},
	} {
		other := session(fmt.Sprint("other", i), "b")
		edit(&other)
		stays, moves := k.Divide(other)
		assert.Equal(t, other.System, stays)
		assert.Empty(t, moves)
	}
	assert.Empty(t, k.Beginnings(), "there was one session of each")
	_, moves := k.Divide(session("2", "b"))
	assert.Equal(t, folder("b"), moves)
}

// Without dividing, sessions share what comes before the first difference.
func TestWhatIsSharedWithoutDividing(t *testing.T) {
	k := beginning.New(false, nil)
	for conversation, name := range map[string]string{"1": "ax", "2": "ay"} {
		p := session(conversation, name)
		stays, moves := k.Divide(p)
		assert.Equal(t, p.System, stays)
		assert.Empty(t, moves)
	}
	assert.Equal(t, []beginning.Beginning{{Program: "Qwen Code", System: rules + "\n\nYou work in /home/a"}}, k.Beginnings())

	k = beginning.New(false, nil)
	k.Divide(session("1", "a"))
	k.Divide(session("2", "a"))
	assert.Equal(t, []beginning.Beginning{{Program: "Qwen Code", System: session("", "a").System, Tools: json.RawMessage(tools)}}, k.Beginnings())
}

func TestWhatWasKnownBefore(t *testing.T) {
	before := beginning.New(true, nil)
	before.Divide(session("1", "a"))
	before.Divide(session("2", "b"))

	k := beginning.New(true, before.Beginnings())
	assert.Equal(t, before.Beginnings(), k.Beginnings())
	_, moves := k.Divide(session("3", "c"))
	assert.Equal(t, folder("c"), moves)
}

func TestMemoryIsBounded(t *testing.T) {
	k := beginning.New(true, nil)
	for i := range 100 {
		for n := range 2 {
			p := session(fmt.Sprint(i, "-", n), "a")
			p.Tools = json.RawMessage(fmt.Sprintf("[%d]", i))
			k.Divide(p)
		}
	}
	assert.Len(t, k.Beginnings(), 16)

	large := session("large", "a")
	large.System = strings.Repeat(large.System+"\n\n", 5000)
	stays, _ := k.Divide(large)
	assert.Equal(t, large.System, stays)
	assert.Len(t, k.Beginnings(), 16)
}

// No word is lost, and no word is added.
func FuzzDivide(f *testing.F) {
	f.Add("a\n\nb", "a\n\nc", "\n\n\n\na\n")
	f.Add("ä", "ö", "é")
	f.Fuzz(func(t *testing.T, first, second, third string) {
		for _, divides := range []bool{true, false} {
			k := beginning.New(divides, nil)
			for i, system := range []string{first, second, third} {
				p := beginning.Prompt{Program: "a", Conversation: fmt.Sprint(i), System: system}
				stays, moves := k.Divide(p)
				assert.ElementsMatch(t, words(system), append(words(stays), words(moves)...))
				again, _ := k.Divide(p)
				assert.Equal(t, stays, again)
			}
			for _, b := range k.Beginnings() {
				require.NotEmpty(t, b.System)
			}
		}
	})
}

func words(text string) []string { return strings.Fields(text) }
