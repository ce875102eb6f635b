package localaitest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// refusal is what llama.cpp says of a request that it does not take.
type refusal string

func (r refusal) Error() string { return string(r) }

// prompt returns the text that the engine reads for a request, or why llama.cpp refuses it.
func (r completionRequest) prompt(template Template) (string, error) {
	if len(r.Messages) == 0 {
		return text(r.Prompt), nil
	}
	rules := templates[template]
	messages, answer, err := r.history(rules)
	if err != nil {
		return "", err
	}
	if raised := rules.refuse(messages); raised != "" {
		return "", refusal(rules.templateError("Jinja Exception: " + raised))
	}
	if rules.objects && slices.ContainsFunc(messages, message.hasListAsArguments) {
		return "", refusal(rules.templateError("Unknown (built-in) filter 'items' for type Array"))
	}
	var tools []tool
	if rules.call != nil {
		tools = r.Tools
	}
	return rules.render(messages, tools) + answer, nil
}

// history does what llama.cpp does before it gives the messages to the template
// (tools/server/server-common.cpp, oaicompat_chat_params_parse, and common/chat.cpp,
// common_chat_templates_apply_jinja). An assistant message at the end is the start of the answer.
func (r completionRequest) history(rules rules) (messages []message, answer string, err error) {
	if err := r.check(); err != nil {
		return nil, "", err
	}
	messages = slices.Clone(r.Messages)
	if last := len(messages) - 1; messages[last].Role == "assistant" {
		messages, answer = messages[:last], messages[last].text()
	}
	for i := range messages {
		if messages[i].Role == "developer" {
			messages[i].Role = "system"
		}
		// LocalAI's backend does that (backend/cpp/llama-cpp/message_content.h). A model writes
		// calls without a blank before them, so the next request has them read.
		if len(messages[i].ToolCalls) > 0 && messages[i].text() == "" {
			messages[i].Content = " "
		}
	}
	if rules.systemless && len(messages) > 0 && messages[0].Role == "system" {
		messages = mergeSystem(messages)
	}
	if rules.call != nil {
		err = checkArguments(messages)
	}
	return messages, answer, err
}

// check returns what llama.cpp refuses whatever the template is.
func (r completionRequest) check() error {
	if lastUser(r.Messages) >= 0 && slices.ContainsFunc(r.Messages, message.hasImage) {
		return refusal("image input is not supported - hint: if this is unexpected, you may need to provide the mmproj")
	}
	for _, m := range r.Messages {
		if err := checkCalls(m.ToolCalls); err != nil {
			return err
		}
	}
	if i := slices.IndexFunc(r.Tools, func(t tool) bool { return t.Type != "function" }); i >= 0 {
		all, _ := json.MarshalIndent(r.Tools, "", "  ") // what came from JSON can be encoded
		return refusal(fmt.Sprintf("Failed to parse tools: Unsupported tool type: %s; tools = %s", compactJSON(r.Tools[i]), all))
	}
	if choice, isText := r.ToolChoice.(string); isText && !slices.Contains([]string{"", "auto", "none", "required"}, choice) {
		return refusal("Invalid tool_choice: " + choice)
	}
	if n := len(r.Messages); n > 1 && r.Messages[n-1].Role == "assistant" && r.Messages[n-2].Role == "assistant" {
		return refusal("Cannot have 2 or more assistant messages at the end of the list.")
	}
	return nil
}

func checkCalls(calls []toolCall) error {
	for _, c := range calls {
		switch {
		case c.Type != "function":
			return refusal("Failed to parse messages: Unsupported tool call type: " + compactJSON(c))
		case c.Function.Name == "":
			return refusal("Failed to parse messages: Missing tool call name: " + compactJSON(c))
		}
	}
	return nil
}

// mergeSystem puts the first message into the second one, if there is one.
func mergeSystem(messages []message) []message {
	rest := messages[1:]
	if len(rest) > 0 {
		rest[0].Content = messages[0].text() + "\n" + rest[0].text()
	}
	return rest
}

// checkArguments returns an error for arguments that are no JSON.
func checkArguments(messages []message) error {
	for _, m := range messages {
		for _, c := range m.ToolCalls {
			if !json.Valid([]byte(c.Function.Arguments)) {
				return refusal("Failed to parse tool call arguments as JSON: " + parseError(c.Function.Arguments))
			}
		}
	}
	return nil
}

// parseError returns what the JSON library of llama.cpp says. The real text tells more about the
// place.
func parseError(arguments string) string {
	if arguments == "" {
		return "[json.exception.parse_error.101] parse error at line 1, column 1: attempting to parse an empty input; check that your input string or stream contains the expected JSON"
	}
	return "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while parsing value - invalid literal; last read: '" + arguments + "'"
}

// templateError returns what llama.cpp says when a template fails. The real one tells line and
// column, and quotes the template.
func (r rules) templateError(raised string) string {
	const executing = "\n------------\nWhile executing CallExpression at line 1, column 1 in source:\n...\nError: "
	if r.derived {
		return "Unable to generate parser for this template. Automatic parser generation failed: " + executing + raised
	}
	return executing + raised
}

// text returns a content: a string, or the texts of a list of strings or parts.
func text(content any) string {
	switch content := content.(type) {
	case string:
		return content
	case []any:
		var all strings.Builder
		for _, part := range content {
			all.WriteString(text(part))
		}
		return all.String()
	case map[string]any:
		return text(content["text"])
	}
	return ""
}

// hasImage reports whether a message holds an image. LocalAI leaves out what is at an address
// that it cannot get.
func (m message) hasImage() bool {
	parts, _ := m.Content.([]any)
	return slices.ContainsFunc(parts, func(part any) bool {
		fields, _ := part.(map[string]any)
		image, _ := fields["image_url"].(map[string]any)
		address, _ := image["url"].(string)
		return strings.HasPrefix(address, "data:image/")
	})
}

func (m message) hasListAsArguments() bool {
	return slices.ContainsFunc(m.ToolCalls, func(c toolCall) bool {
		return strings.HasPrefix(strings.TrimSpace(c.Function.Arguments), "[")
	})
}

// longestRun returns the length, in bytes, of the longest run of one letter.
func longestRun(prompt string) int {
	longest, run := 0, 0
	for i := range len(prompt) {
		if i > 0 && prompt[i] != prompt[i-1] {
			run = 0
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
