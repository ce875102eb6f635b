package messages

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// serverTools begin the types of tools that only Anthropic's servers run
// (https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview). A model that was told of
// them would call them in vain.
var serverTools = []string{"web_search_", "web_fetch_", "code_execution_", toolSearch, "mcp_toolset", "advisor_"}

// toolSearch begins the types of the server tool that finds deferred tools.
const toolSearch = "tool_search_tool_"

type tool struct {
	Type         string          `json:"type"`
	Name         string          `json:"name"`
	Description  string          `json:"description"`
	InputSchema  json.RawMessage `json:"input_schema"`
	DeferLoading bool            `json:"defer_loading"`
}

type toolChoice struct {
	Type                   string `json:"type"`
	Name                   string `json:"name"`
	DisableParallelToolUse bool   `json:"disable_parallel_tool_use"`
}

func (t tool) ofServer() bool {
	return slices.ContainsFunc(serverTools, func(prefix string) bool { return strings.HasPrefix(t.Type, prefix) })
}

// translateTools leaves out the tools of servers, and those that are deferred until the client's
// tool search has found them. Found ones go to the end, so that the prompt stays the same before
// them. Where a server would do the search, nothing can be found: all tools are there at once.
func translateTools(declared []tool, revealed []string) ([]chat.ToolDef, *failure.Error) {
	searched := !slices.ContainsFunc(declared, func(t tool) bool { return strings.HasPrefix(t.Type, toolSearch) })
	var tools []chat.ToolDef
	deferred := map[string]chat.ToolDef{}
	for i, t := range declared {
		if t.ofServer() {
			continue
		}
		definition, err := translateTool(fmt.Sprintf("tools.%d", i), t)
		if err != nil {
			return nil, err
		}
		if t.DeferLoading && searched {
			deferred[t.Name] = definition
			continue
		}
		tools = append(tools, definition)
	}
	chat.SortTools(tools)
	for _, name := range revealed {
		if definition, found := deferred[name]; found {
			tools = append(tools, definition)
		}
	}
	return tools, nil
}

func translateTool(at string, t tool) (chat.ToolDef, *failure.Error) {
	if t.Name == "" {
		return chat.ToolDef{}, invalid(at+".name", "a tool needs a name")
	}
	// Models of Anthropic know the schemas of some tools of clients, such as bash_20250124.
	if !isObject(t.InputSchema) {
		return chat.ToolDef{}, invalid(at+".input_schema", "the tool %q needs a JSON schema here: the model knows no tools of its own", t.Name)
	}
	return chat.ToolDef{
		Type:     "function",
		Function: chat.FunctionDef{Name: t.Name, Description: t.Description, Parameters: t.InputSchema},
	}, nil
}

// choose returns what a tool choice makes of the tools, and the choice as Chat Completions has
// it. Engines take the object that names a function for "required", so the one tool that must be
// called is left alone. With "none" the tools stay: without them the engine would read the whole
// prompt again.
func choose(tools []chat.ToolDef, choice toolChoice) ([]chat.ToolDef, any, *failure.Error) {
	switch choice.Type {
	case "", "auto":
		return tools, nil, nil
	case "tool":
		i := slices.IndexFunc(tools, func(t chat.ToolDef) bool { return t.Function.Name == choice.Name })
		if i < 0 {
			return nil, nil, invalid("tool_choice.name",
				"there is no tool %q to call: it is not in tools, or it is one that only Anthropic's servers run", choice.Name)
		}
		return tools[i : i+1], "required", nil
	case "any":
		if len(tools) == 0 {
			return nil, nil, invalid("tool_choice", "there are no tools to call, except any that only Anthropic's servers run")
		}
		return tools, "required", nil
	case "none":
		if len(tools) == 0 {
			return nil, nil, nil
		}
		return tools, "none", nil
	default:
		return nil, nil, invalid("tool_choice.type", "%q is not a choice; use auto, any, tool or none", choice.Type)
	}
}
