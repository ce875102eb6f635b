package responses

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// maxName is the length in characters of the longest name of a function, and notInNames what
// none may hold (https://platform.openai.com/docs/api-reference/chat/create, tools).
const maxName = 64

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9_-]`)

// noArguments are the arguments of a call without any, and noParameters the schema of a function
// that takes none.
const (
	noArguments  = `{}`
	noParameters = `{"type":"object","properties":{}}`
)

// tool is one tool as a client lists it: a function, a custom tool, which takes a text, or a
// namespace of both. Those of any other type are run by a vendor's servers, or named in a way
// that the model would have to be trained on.
type tool struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	Format      customFormat    `json:"format"`
	Tools       []tool          `json:"tools"`
}

// customFormat is what the input of a custom tool has to look like.
type customFormat struct {
	Type       string `json:"type"`
	Syntax     string `json:"syntax"`
	Definition string `json:"definition"`
}

// origin is how the client knows a tool.
type origin struct {
	namespace, name string
	custom          bool
}

// toolbox holds the functions that stand for a client's tools, and under which names.
type toolbox struct {
	defs    []chat.ToolDef
	origins map[string]origin
	names   map[[2]string]string
}

func newToolbox(tools []tool) (*toolbox, *failure.Error) {
	t := &toolbox{origins: map[string]origin{}, names: map[[2]string]string{}}
	for i, listed := range tools {
		path := fmt.Sprintf("tools[%d]", i)
		if listed.Type != "namespace" {
			if wrong := t.add("", listed, path); wrong != nil {
				return nil, wrong
			}
			continue
		}
		for j, inner := range listed.Tools {
			if wrong := t.add(listed.Name, inner, fmt.Sprintf("%s.tools[%d]", path, j)); wrong != nil {
				return nil, wrong
			}
		}
	}
	return t, nil
}

func (t *toolbox) add(namespace string, listed tool, path string) *failure.Error {
	if listed.Type != "function" && listed.Type != "custom" {
		return nil
	}
	if listed.Name == "" {
		return invalid(path+".name", "The tool has no \"name\".")
	}
	key := [2]string{namespace, listed.Name}
	if _, isTwice := t.names[key]; isTwice {
		return nil
	}
	name := t.freeName(namespace, listed.Name)
	t.names[key] = name
	t.origins[name] = origin{namespace, listed.Name, listed.Type == "custom"}
	t.defs = append(t.defs, chat.ToolDef{Type: "function", Function: listed.function(name)})
	return nil
}

func (l tool) function(name string) chat.FunctionDef {
	def := chat.FunctionDef{Name: name, Description: l.Description, Parameters: l.Parameters}
	switch {
	case l.Type == "custom":
		def.Parameters = l.Format.parameters()
	case len(def.Parameters) == 0 || string(def.Parameters) == "null":
		def.Parameters = json.RawMessage(noParameters)
	}
	return def
}

// parameters is the schema of a function with the input of a custom tool as its only argument.
// The grammar is told to the model: the engine does not enforce it.
func (f customFormat) parameters() json.RawMessage {
	description := "The whole input of the tool, as one text."
	if f.Definition != "" {
		description += fmt.Sprintf(" It has this form (%s):\n%s", f.Syntax, f.Definition)
	}
	encoded, _ := json.Marshal(description) // strings can always be encoded
	return fmt.Appendf(nil, `{"type":"object","properties":{"input":{"type":"string","description":%s}},`+
		`"required":["input"],"additionalProperties":false}`, encoded)
}

// customArguments and customInput translate between the input of a custom tool and the arguments
// of the function that stands for it. Arguments that are not as the schema has them are taken
// for the input itself: the tool tells the model what is wrong with it.
func customArguments(input string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(map[string]string{"input": input}) // strings can always be encoded
	return strings.TrimSuffix(out.String(), "\n")
}

func customInput(arguments string) string {
	var decoded struct {
		Input *string `json:"input"`
	}
	if json.Unmarshal([]byte(arguments), &decoded) != nil || decoded.Input == nil {
		return arguments
	}
	return *decoded.Input
}

// name returns the name of the function that stands for a tool, be it listed or, in an old
// history, not any more.
func (t *toolbox) name(namespace, name string) string {
	if known, found := t.names[[2]string{namespace, name}]; found {
		return known
	}
	return flatName(namespace, name)
}

// origin returns the tool that a function stands for. A model may also call what does not exist:
// the client tells it so.
func (t *toolbox) origin(name string) origin {
	if known, found := t.origins[name]; found {
		return known
	}
	return origin{name: name}
}

func (t *toolbox) freeName(namespace, name string) string {
	free := flatName(namespace, name)
	for n := 1; t.isTaken(free); n++ {
		free = shortName(free, fmt.Sprint(namespace, "\x00", name, "\x00", n))
	}
	return free
}

func (t *toolbox) isTaken(name string) bool {
	_, isTaken := t.origins[name]
	return isTaken
}

// flatName returns a name that a function may have. It depends on its arguments alone, so that a
// prompt is the same whatever else is listed. Two underscores are what names of MCP's tools have
// between server and tool.
func flatName(namespace, name string) string {
	flat := name
	if namespace != "" {
		flat = strings.TrimRight(namespace, "_") + "__" + name
	}
	if clean := notInNames.ReplaceAllString(flat, "_"); clean != flat || len(clean) > maxName {
		return shortName(clean, namespace+"\x00"+name)
	}
	return flat
}

// shortName makes a name unique by a checksum of what it stands for.
func shortName(name, of string) string {
	suffix := fmt.Sprintf("_%.4x", sha256.Sum256([]byte(of)))
	return name[:min(len(name), maxName-len(suffix))] + suffix
}

// choice is an object that says which tools the model is to call.
type choice struct {
	Type      string   `json:"type"`
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Mode      string   `json:"mode"`
	Tools     []choice `json:"tools"`
}

// choose returns the tool_choice of Chat Completions, nil for "auto". With "none" the tools stay
// listed, as the prompt begins with them and the engine has them in its cache. Where a client
// names tools, all others are taken from the list in spite of that: to the engine every object
// is "required", which is exact if nothing else can be called.
func (t *toolbox) choose(raw json.RawMessage) (any, *failure.Error) {
	const field = "tool_choice"
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var mode string
	if json.Unmarshal(raw, &mode) == nil {
		return t.mode(mode, field)
	}
	var named choice
	if err := json.Unmarshal(raw, &named); err != nil {
		return nil, wrongValue(field, err)
	}
	switch named.Type {
	case "function", "custom":
		if wrong := t.restrict([]choice{named}, field); wrong != nil {
			return nil, wrong
		}
		return map[string]any{"type": "function", "function": map[string]string{"name": t.defs[0].Function.Name}}, nil
	case "allowed_tools":
		if wrong := t.restrict(named.Tools, field+".tools"); wrong != nil {
			return nil, wrong
		}
		return t.mode(named.Mode, field+".mode")
	}
	return nil, invalid(field+".type", "Tools of type %q cannot be called here: "+
		"use auto, none, required, or the name of a function.", named.Type)
}

func (t *toolbox) mode(mode, path string) (any, *failure.Error) {
	switch mode {
	case "auto":
		return nil, nil
	case "required":
		if len(t.defs) == 0 {
			return nil, invalid(path, "A tool is required, but none that the client could run is listed in \"tools\".")
		}
		return mode, nil
	case "none":
		if len(t.defs) == 0 {
			return nil, nil
		}
		return mode, nil
	}
	return nil, invalid(path, "%q is not known: use auto, none, required, or the name of a function.", mode)
}

// restrict takes all tools from the list but some. A model that saw the others in its history may
// call one all the same: the client decides what then.
func (t *toolbox) restrict(to []choice, path string) *failure.Error {
	keep := map[string]bool{}
	for _, c := range to {
		if c.Type != "function" && c.Type != "custom" {
			continue
		}
		name, found := t.names[[2]string{c.Namespace, c.Name}]
		if !found {
			return invalid(path, "The tool %q is not listed in \"tools\".", c.Name)
		}
		keep[name] = true
	}
	if len(keep) == 0 {
		return invalid(path, "No tool is named.")
	}
	var kept []chat.ToolDef
	for _, def := range t.defs {
		if keep[def.Function.Name] {
			kept = append(kept, def)
		}
	}
	t.defs = kept
	return nil
}
