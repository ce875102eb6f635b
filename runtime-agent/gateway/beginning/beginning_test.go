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

// tools are those of a session in a folder.
func tools(name string) []beginning.Tool {
	return []beginning.Tool{
		{Name: "ask", JSON: json.RawMessage(`"asks"`)},
		{Name: "bash", JSON: json.RawMessage(`"runs in /home/` + name + `"`)},
		{Name: "read", JSON: json.RawMessage(`"reads"`)},
	}
}

// inOrder are the texts of tools.
func inOrder(tools []beginning.Tool) string {
	var all []string
	for _, tool := range tools {
		all = append(all, tool.Name)
	}
	return strings.Join(all, " ")
}

func shared(system string, texts ...string) []beginning.Beginning {
	b := beginning.Beginning{Program: "Qwen Code", Names: []string{"ask", "bash", "read"}, System: system}
	for _, text := range texts {
		b.Tools = append(b.Tools, json.RawMessage(text))
	}
	return []beginning.Beginning{b}
}

const (
	rules = "You are an agent. Follow the rules that stand here."
	more  = "Be brief, and do not say what you did. Nobody wants to read that."
)

func folder(name string) string { return "You work in /home/" + name + "." }

// session is the first prompt of a session in a folder, as most agents write it.
func session(conversation, name string) beginning.Prompt {
	return beginning.Prompt{
		Program: "Qwen Code", Conversation: conversation, System: strings.Join([]string{rules, folder(name), more}, "\n\n"), Tools: tools(name),
	}
}

func TestWhatDiffersBetweenSessionsMoves(t *testing.T) {
	k := beginning.New(true, nil)
	stays, moves := k.Divide(session("1", "a"))
	assert.Equal(t, session("1", "a"), stays, "nothing is known to differ yet")
	assert.Empty(t, moves)

	for conversation, name := range map[string]string{"2": "b", "3": "c", "4": "a"} {
		for range 3 {
			stays, moves = k.Divide(session(conversation, name))
			assert.Equal(t, rules+"\n\n"+more, stays.System)
			assert.Equal(t, folder(name), moves)
			assert.Equal(t, "ask read bash", inOrder(stays.Tools))
		}
	}
	stays, _ = k.Divide(session("1", "a"))
	assert.Equal(t, session("1", "a"), stays, "the engine would read it again")
	assert.Equal(t, shared(rules+"\n\n"+more, `"asks"`, `"reads"`), k.Beginnings())

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
		func(p *beginning.Prompt) { p.Tools = p.Tools[1:] },
		func(p *beginning.Prompt) {
			p.System = "You are a sub-agent, and search the folder " + strings.Repeat("b", 100)
		},
	} {
		other := session(fmt.Sprint("other", i), "b")
		edit(&other)
		stays, moves := k.Divide(other)
		assert.Equal(t, other, stays)
		assert.Empty(t, moves)
	}
	assert.Empty(t, k.Beginnings(), "there was one session of each")
	_, moves := k.Divide(session("2", "b"))
	assert.Equal(t, folder("b"), moves)
}

// A prompt with nothing in it, or with one paragraph, takes nothing from the others.
func TestAnOddPromptSpoilsNoKind(t *testing.T) {
	k := beginning.New(true, nil)
	k.Divide(session("1", "a"))
	for i, system := range []string{"", rules[:10], more, more + "\n\n" + strings.Repeat("Something else entirely. ", 20)} {
		odd := session(fmt.Sprint("odd", i), "a")
		odd.System = system
		k.Divide(odd)
	}
	stays, _ := k.Divide(session("2", "b"))
	assert.Equal(t, rules+"\n\n"+more, stays.System)

	// Another version has rules of its own from its second session on.
	for i := range 2 {
		next := session(fmt.Sprint("next", i), "a")
		next.Version, next.System = "2", "Other rules.\n\n"+next.System
		stays, _ = k.Divide(next)
	}
	assert.Contains(t, stays.System, "Other rules.")
}

// Without dividing, sessions share what comes before the first difference.
func TestWhatIsSharedWithoutDividing(t *testing.T) {
	k := beginning.New(false, nil)
	for conversation, name := range map[string]string{"1": "ax", "2": "ay"} {
		p := session(conversation, name)
		stays, moves := k.Divide(p)
		assert.Equal(t, p, stays)
		assert.Empty(t, moves)
	}
	assert.Equal(t, []string{rules + "\n\nYou work in /home/a"}, systems(k))
	assert.Empty(t, k.Beginnings()[0].Tools)

	k = beginning.New(false, nil)
	k.Divide(session("1", "a"))
	other := session("2", "a")
	other.Tools[1].JSON = json.RawMessage(`"runs"`)
	k.Divide(other)
	assert.Equal(t, shared(other.System, `"asks"`), k.Beginnings())
}

func systems(k *beginning.Kinds) []string {
	var all []string
	for _, b := range k.Beginnings() {
		all = append(all, b.System)
	}
	return all
}

func TestWhatWasKnownBefore(t *testing.T) {
	before := beginning.New(true, nil)
	before.Divide(session("1", "a"))
	before.Divide(session("2", "b"))

	k := beginning.New(true, before.Beginnings())
	assert.Equal(t, before.Beginnings(), k.Beginnings())
	stays, moves := k.Divide(session("3", "c"))
	assert.Equal(t, folder("c"), moves)
	assert.Equal(t, "ask read bash", inOrder(stays.Tools))
}

func TestMemoryIsBounded(t *testing.T) {
	k := beginning.New(true, nil)
	for i := range 2 {
		often := session(fmt.Sprint("often", i), "a")
		often.Program = "Codex"
		k.Divide(often)
	}
	for i := range 100 {
		once := session(fmt.Sprint("once", i), "a")
		once.Tools[0].Name = fmt.Sprint("once", i)
		k.Divide(once)
	}
	assert.Len(t, k.Beginnings(), 1, "what comes once does not push it out")
	for i := range 100 {
		for n := range 2 {
			p := session(fmt.Sprint(i, "-", n), "a")
			p.Tools[0].Name = fmt.Sprint(i)
			k.Divide(p)
		}
	}
	assert.Len(t, k.Beginnings(), 16)

	for _, text := range []string{strings.Repeat("long ", 100_000), strings.Repeat("a\n\n", 3000)} {
		large := session("large", "a")
		large.System += text
		stays, _ := k.Divide(large)
		assert.Equal(t, large.System, stays.System)
	}
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
				assert.ElementsMatch(t, words(system), append(words(stays.System), words(moves)...))
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
