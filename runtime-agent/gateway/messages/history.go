package messages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// paragraph separates texts that clients send as blocks of their own.
const paragraph = "\n\n"

// The types of blocks that become messages, or parts of them, of their own.
const (
	toolUse    = "tool_use"
	toolResult = "tool_result"
)

// billingHeader begins a block of Claude Code's system prompt that is meant for Anthropic's
// servers. It comes first and changes from session to session (seen with 2.1.328), so with it in
// the prompt the engine would read everything again.
const billingHeader = "x-anthropic-billing-header:"

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// block is a content block of any type, with the fields that are translated.
type block struct {
	Type string `json:"type"`
	Text string `json:"text"`
	// Of tool_use:
	ID    string          `json:"id"`
	Name  string          `json:"name"`
	Input json.RawMessage `json:"input"`
	// Of tool_result; Content is of document and search_result, too:
	ToolUseID string          `json:"tool_use_id"`
	Content   json.RawMessage `json:"content"`
	IsError   bool            `json:"is_error"`
	// Of document and search_result:
	Title   string          `json:"title"`
	Context string          `json:"context"`
	Source  json.RawMessage `json:"source"`
	// Of tool_reference and tool_addition:
	ToolName string `json:"tool_name"`
	Tool     struct {
		Type string `json:"type"`
		Name string `json:"name"`
	} `json:"tool"`
}

// history is what becomes of the messages of a request.
type history struct {
	messages []chat.Message
	// revealed names the tools that were found in the course of the conversation, in order.
	revealed []string
}

func translateHistory(system json.RawMessage, messages []message) (*history, *failure.Error) {
	h := &history{}
	if err := h.addSystemPrompt(system); err != nil {
		return nil, err
	}
	for i, m := range messages {
		if err := h.add(fmt.Sprintf("messages.%d", i), m); err != nil {
			return nil, err
		}
	}
	if len(h.messages) == 0 {
		return nil, invalid("messages", "there is no text in them; send at least one message")
	}
	return h, nil
}

func (h *history) addSystemPrompt(content json.RawMessage) *failure.Error {
	blocks, err := decodeContent("system", content)
	if err != nil {
		return err
	}
	blocks = slices.DeleteFunc(blocks, func(b block) bool { return strings.HasPrefix(b.Text, billingHeader) })
	return h.addText(chat.System, "system", blocks, "")
}

// add adds a message. One of which nothing is left, such as thinking alone, is left out.
func (h *history) add(at string, m message) *failure.Error {
	blocks, err := decodeContent(at+".content", m.Content)
	if err != nil {
		return err
	}
	switch m.Role {
	case chat.System:
		// Claude Code sends these within the history.
		return h.addText(chat.System, at+".content", blocks, "")
	case chat.User:
		return h.addUser(at+".content", blocks)
	case chat.Assistant:
		return h.addAssistant(at+".content", blocks)
	default:
		return invalid(at+".role", "%q is not a role; use user, assistant or system", m.Role)
	}
}

// addUser adds the tool results first: they have to follow the calls. A text beside them is what
// the user, or the client, says next.
func (h *history) addUser(at string, blocks []block) *failure.Error {
	for i, b := range blocks {
		if b.Type != toolResult {
			continue
		}
		if err := h.addResult(fmt.Sprintf("%s.%d", at, i), b); err != nil {
			return err
		}
	}
	return h.addText(chat.User, at, blocks, toolResult)
}

func (h *history) addResult(at string, result block) *failure.Error {
	if result.ToolUseID == "" {
		return invalid(at+".tool_use_id", "a tool result needs the id of its tool_use block")
	}
	blocks, err := decodeContent(at+".content", result.Content)
	if err != nil {
		return err
	}
	text, err := h.join(at+".content", blocks, paragraph, "")
	if err != nil {
		return err
	}
	if result.IsError {
		text = asError(text)
	}
	h.messages = append(h.messages, chat.Message{Role: chat.Tool, ToolCallID: result.ToolUseID, Content: &text})
	return nil
}

// asError marks a result as an error in its text: Chat Completions has no field for it, and a
// model that does not know repeats the call.
func asError(text string) string {
	const mark = "Error"
	switch {
	case text == "":
		return mark
	case len(text) >= len(mark) && strings.EqualFold(text[:len(mark)], mark):
		return text
	default:
		return mark + ": " + text
	}
}

// addAssistant joins texts without anything between them: they are pieces of what the model
// wrote in one go.
func (h *history) addAssistant(at string, blocks []block) *failure.Error {
	text, err := h.join(at, blocks, "", toolUse)
	if err != nil {
		return err
	}
	calls, err := toolCalls(at, blocks)
	if err != nil {
		return err
	}
	if text == "" && len(calls) == 0 {
		return nil
	}
	answer := chat.Message{Role: chat.Assistant, ToolCalls: calls}
	if text != "" {
		answer.Content = &text
	}
	h.messages = append(h.messages, answer)
	return nil
}

func toolCalls(at string, blocks []block) ([]chat.ToolCall, *failure.Error) {
	var calls []chat.ToolCall
	for i, b := range blocks {
		if b.Type != toolUse {
			continue
		}
		param := fmt.Sprintf("%s.%d", at, i)
		if b.ID == "" || b.Name == "" {
			return nil, invalid(param, "a tool_use block needs an id and a name")
		}
		if !isObject(b.Input) {
			return nil, invalid(param+".input", "the input of a tool must be a JSON object")
		}
		calls = append(calls, chat.ToolCall{
			ID:       b.ID,
			Type:     "function",
			Function: chat.Function{Name: b.Name, Arguments: compact(b.Input)},
		})
	}
	return calls, nil
}

func (h *history) addText(role, at string, blocks []block, except string) *failure.Error {
	text, err := h.join(at, blocks, paragraph, except)
	if err != nil {
		return err
	}
	if text != "" {
		h.messages = append(h.messages, chat.Message{Role: role, Content: &text})
	}
	return nil
}

// join returns the texts of all blocks but those of the type except, which are not text.
func (h *history) join(at string, blocks []block, separator, except string) (string, *failure.Error) {
	var texts []string
	for i, b := range blocks {
		if b.Type == except {
			continue
		}
		text, err := h.text(fmt.Sprintf("%s.%d", at, i), b)
		if err != nil {
			return "", err
		}
		if text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, separator), nil
}

// text returns what the model reads of a block, "" if it reads nothing. The errors for images and
// other documents have the words by which Claude Code (2.1.328, in its binary) knows that it has
// to send the conversation again without them.
func (h *history) text(at string, b block) (string, *failure.Error) {
	switch b.Type {
	case "text":
		return b.Text, nil
	case "document":
		return document(at, b)
	case "search_result":
		return searchResult(at, b)
	case "tool_reference":
		h.reveal(b.ToolName)
		return "Found the tool " + b.ToolName, nil
	case "tool_addition":
		// The words by which Claude Code knows that it has to declare the tool in tools.
		if b.Tool.Type == "tool_definition" {
			return "", invalid(at, "tool definitions in messages are not available on this platform; declare the tool in tools")
		}
		h.reveal(b.Tool.Name)
		return "", nil
	case "image":
		return "", invalid(at, "could not process image: images are not supported, the model reads text only; leave them out")
	case "thinking", "redacted_thinking":
		return "", nil // chat templates leave out what was thought in earlier turns
	case "tool_removal":
		// A client refuses a call of what it has removed; a tool less would have the engine read
		// the whole prompt again.
		return "", nil
	case "server_tool_use", "mcp_tool_use", "mcp_tool_result", "web_search_tool_result", "web_fetch_tool_result",
		"code_execution_tool_result", "bash_code_execution_tool_result", "text_editor_code_execution_tool_result",
		"tool_search_tool_result", "container_upload":
		return "", nil // of a conversation begun with Anthropic's servers, some of it encrypted
	default:
		return "", invalid(at+".type", "a block of the type %q is not supported here", b.Type)
	}
}

func (h *history) reveal(tool string) {
	if !slices.Contains(h.revealed, tool) {
		h.revealed = append(h.revealed, tool)
	}
}

// document returns a document that is text, with its title and context before it.
func document(at string, b block) (string, *failure.Error) {
	var source struct {
		Type    string          `json:"type"`
		Data    string          `json:"data"`
		Content json.RawMessage `json:"content"`
	}
	if err := json.Unmarshal(orNull(b.Source), &source); err != nil {
		return "", unreadable(at+".source", err)
	}
	switch source.Type {
	case "text":
		return under(source.Data, b.Title, b.Context), nil
	case "content":
		text, err := plain(at+".source.content", source.Content)
		return under(text, b.Title, b.Context), err
	default:
		return "", invalid(at+".source.type",
			"could not process PDF: documents of the type %q are not supported, the model reads text only; send their text", source.Type)
	}
}

func searchResult(at string, b block) (string, *failure.Error) {
	var source string
	if err := json.Unmarshal(orNull(b.Source), &source); err != nil {
		return "", unreadable(at+".source", err)
	}
	text, err := plain(at+".content", b.Content)
	return under(text, b.Title, source), err
}

// plain returns a content that may be nothing but text.
func plain(at string, content json.RawMessage) (string, *failure.Error) {
	blocks, err := decodeContent(at, content)
	if err != nil {
		return "", err
	}
	var texts []string
	for i, b := range blocks {
		if b.Type != "text" {
			return "", invalid(fmt.Sprintf("%s.%d.type", at, i), "%q is not supported here, text alone is", b.Type)
		}
		texts = append(texts, b.Text)
	}
	return strings.Join(texts, paragraph), nil
}

// under puts the headings that are not empty above the text.
func under(text string, headings ...string) string {
	lines := slices.DeleteFunc(append(headings, text), func(line string) bool { return line == "" })
	return strings.Join(lines, "\n")
}

// decodeContent decodes a content, which is a text or a list of blocks. Claude Code sends one
// message in either form from turn to turn: they come out alike.
func decodeContent(at string, content json.RawMessage) ([]block, *failure.Error) {
	if bytes.HasPrefix(content, []byte(`"`)) {
		b := block{Type: "text"}
		if err := json.Unmarshal(content, &b.Text); err != nil {
			return nil, unreadable(at, err)
		}
		return []block{b}, nil
	}
	var blocks []block
	if err := json.Unmarshal(orNull(content), &blocks); err != nil {
		return nil, unreadable(at, err)
	}
	return blocks, nil
}

// orNull stands in for a field that is missing.
func orNull(value json.RawMessage) json.RawMessage {
	if len(value) == 0 {
		return json.RawMessage("null")
	}
	return value
}

func isObject(value json.RawMessage) bool { return bytes.HasPrefix(value, []byte("{")) }

// compact returns JSON without white space, in which clients differ.
func compact(value json.RawMessage) string {
	var out bytes.Buffer
	if err := json.Compact(&out, value); err != nil {
		panic(err) // a mistake in the program: value has been decoded
	}
	return out.String()
}
