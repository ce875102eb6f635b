package responses

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// between joins texts that become one: the parts of a content, the messages of one answer.
const between = "\n\n"

// input is a history. A text alone is what the user says.
type input []item

// item is one step of a history, of whatever type.
type item struct {
	Type      string  `json:"type"`
	Role      string  `json:"role"`
	Content   content `json:"content"`
	CallID    string  `json:"call_id"`
	Namespace string  `json:"namespace"`
	Name      string  `json:"name"`
	Arguments string  `json:"arguments"`
	Input     string  `json:"input"`
	Output    content `json:"output"`
}

// content is a list of parts. A text alone is a list of one part, so that a client may change
// between the two and the engine still finds the prompt in its cache.
type content []part

type part struct {
	Type    string `json:"type"`
	Text    string `json:"text"`
	Refusal string `json:"refusal"`
}

func (in *input) UnmarshalJSON(data []byte) error {
	if isText(data) {
		*in = input{{Role: chat.User}}
		return json.Unmarshal(data, &(*in)[0].Content)
	}
	return json.Unmarshal(data, (*[]item)(in))
}

func (c *content) UnmarshalJSON(data []byte) error {
	if isText(data) {
		*c = content{{Type: "input_text"}}
		return json.Unmarshal(data, &(*c)[0].Text)
	}
	return json.Unmarshal(data, (*[]part)(c))
}

func isText(data []byte) bool { return len(data) > 0 && data[0] == '"' }

// history is the messages of a chat as far as they are translated.
type history struct {
	messages []chat.Message
	tools    *toolbox
}

// translate returns the messages that say the same as a history. The roles of the messages are
// the client's: which ones a model knows is the concern of whoever asks it.
func translate(instructions string, items input, tools *toolbox) ([]chat.Message, *failure.Error) {
	h := &history{tools: tools}
	if instructions != "" {
		h.add(chat.System, instructions)
	}
	for i, it := range items {
		if wrong := h.addItem(it, fmt.Sprintf("input[%d]", i)); wrong != nil {
			return nil, wrong
		}
	}
	if len(h.messages) == 0 {
		return nil, invalid("input", "\"input\" holds no message: send a text or a list of items.")
	}
	return h.messages, nil
}

// addItem adds one item. path is its place in the request.
func (h *history) addItem(it item, path string) *failure.Error {
	switch it.Type {
	case "message", "":
		return h.addMessage(it, path)
	case "agent_message":
		// What one of Codex's agents tells another one.
		it.Role = chat.User
		return h.addMessage(it, path)
	case "function_call":
		return h.addCall(it, it.Arguments, path)
	case "custom_tool_call":
		return h.addCall(it, customArguments(it.Input), path)
	case "function_call_output", "custom_tool_call_output":
		return h.addOutput(it, path)
	case "reasoning":
		// A model does not read its earlier thoughts, and another vendor's are encrypted.
		return nil
	case "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_list_tools", "mcp_call":
		// What a vendor's servers did in a conversation that began there. What the model made of it
		// is in its answer; to refuse it would end the conversation for ever.
		return nil
	case "item_reference":
		return invalid(path, "This server stores no items: send the item itself instead of a reference to it.")
	}
	return invalid(path+".type", "Items of type %q are not supported: leave the item out, or start a new conversation.", it.Type)
}

func (h *history) addMessage(it item, path string) *failure.Error {
	text, wrong := it.Content.text(path + ".content")
	if wrong != nil {
		return wrong
	}
	switch it.Role {
	case chat.Assistant:
		h.say(text)
	case chat.User, chat.System, chat.Developer:
		h.add(it.Role, text)
	default:
		return invalid(path+".role", "The role %q is not known: use user, assistant, system or developer.", it.Role)
	}
	return nil
}

func (h *history) add(role, text string) {
	h.messages = append(h.messages, chat.Message{Role: role, Content: chat.Text(text)})
}

// answer returns the message that items of the assistant belong to. Those in a row are what the
// model said in one answer.
func (h *history) answer() *chat.Message {
	if last := len(h.messages) - 1; last < 0 || h.messages[last].Role != chat.Assistant {
		h.messages = append(h.messages, chat.Message{Role: chat.Assistant})
	}
	return &h.messages[len(h.messages)-1]
}

func (h *history) say(text string) {
	message := h.answer()
	if message.Content != nil && *message.Content != "" && text != "" {
		text = *message.Content + between + text
	}
	if message.Content == nil || text != "" {
		message.Content = chat.Text(text)
	}
}

func (h *history) addCall(it item, arguments, path string) *failure.Error {
	if it.CallID == "" {
		return invalid(path+".call_id", "The call has no \"call_id\".")
	}
	if it.Name == "" {
		return invalid(path+".name", "The call has no \"name\".")
	}
	if arguments == "" {
		arguments = noArguments
	}
	message := h.answer()
	message.ToolCalls = append(message.ToolCalls, chat.ToolCall{
		ID:       it.CallID,
		Type:     "function",
		Function: chat.Function{Name: h.tools.name(it.Namespace, it.Name), Arguments: arguments},
	})
	return nil
}

func (h *history) addOutput(it item, path string) *failure.Error {
	if it.CallID == "" {
		return invalid(path+".call_id", "The output has no \"call_id\" that says which call it is of.")
	}
	text, wrong := it.Output.withoutImages().text(path + ".output")
	if wrong != nil {
		return wrong
	}
	h.messages = append(h.messages, chat.Message{Role: chat.Tool, Content: chat.Text(text), ToolCallID: it.CallID})
	return nil
}

// withoutImages puts a text in the place of each image. A tool has made it on the model's own
// demand: an error would come again with every request of the conversation, and nobody could
// take the image out of it.
func (c content) withoutImages() content {
	texts := make(content, len(c))
	for i, p := range c {
		if p.Type == "input_image" {
			p = part{Type: "input_text", Text: "(an image, which this model cannot see)"}
		}
		texts[i] = p
	}
	return texts
}

// text joins the parts that hold text. path is the place of the content in the request.
func (c content) text(path string) (string, *failure.Error) {
	var texts []string
	for i, p := range c {
		text, wrong := p.text(fmt.Sprintf("%s[%d]", path, i))
		if wrong != nil {
			return "", wrong
		}
		if text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, between), nil
}

func (p part) text(path string) (string, *failure.Error) {
	switch p.Type {
	case "input_text", "output_text", "text":
		return p.Text, nil
	case "refusal":
		return p.Refusal, nil
	case "input_image":
		return "", invalid(path, "Images are not supported: this model reads text only. "+
			"Remove the image from the conversation, or start a new one.")
	}
	return "", invalid(path+".type", "Contents of type %q are not supported: send text (input_text).", p.Type)
}
