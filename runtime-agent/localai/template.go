package localai

import (
	"regexp"
	"strings"
)

// The checks of the chat templates that Mistral's models carry (Devstral Small 2, Ministral 3
// and others that mistral-common generates for tokenizer version 13). Coding agents send what
// they refuse: two user messages in a row, after an interrupted turn or a summary; an assistant
// message first or without content; system and developer messages anywhere.
var (
	// alternation refuses user and assistant messages that do not take turns.
	alternation = raising(`must alternate`)
	// emptyAnswer refuses an assistant message with neither text nor tool calls.
	emptyAnswer = raising(`Assistant message must have`)
	// otherRole refuses every role but user, assistant and tool.
	otherRole = regexp.MustCompile(`\{\{-?\s*raise_exception\('[^']*roles are supported[^']*' \+ message\['role'\][^)]*\)\s*-?\}\}`)
)

// raising matches a statement that raises an exception with a constant text, some words of
// which are given.
func raising(words string) *regexp.Regexp {
	return regexp.MustCompile(`\{\{-?\s*raise_exception\('[^']*` + words + `[^']*'\)\s*-?\}\}`)
}

const (
	// systemMark begins a system message. Mistral's own encoder accepts one at every place
	// where the user may speak (mistral-common, InstructTokenizerV7).
	systemMark = "[SYSTEM_PROMPT]"

	firstSystem            = `messages[0]['role'] == 'system'`
	firstSystemOrDeveloper = `messages[0]['role'] in ['system', 'developer']`

	// systemAnywhere stands before otherRole and keeps it for roles that nobody knows.
	systemAnywhere = `{%- if message['role'] in ['system', 'developer'] %}
            {{- '[SYSTEM_PROMPT]' }}
            {%- if message['content'] is string %}
                {{- message['content'] }}
            {%- else %}
                {%- for block in message['content'] %}
                    {{- block['text'] }}
                {%- endfor %}
            {%- endif %}
            {{- '[/SYSTEM_PROMPT]' }}
        {%- else %}
            `
	endOfSystemAnywhere = `
        {%- endif %}`
)

// RelaxedTemplate returns the chat template of a model (Jinja, as its GGUF file carries it)
// without the checks of Mistral's family that refuse what coding agents send; "" if it has none
// of them, and can be used as it is. Only branches that end in an exception are changed: every
// history that the model's own template accepts is rendered to the same bytes.
func RelaxedTemplate(template string) string {
	if !strings.Contains(template, systemMark) {
		return ""
	}
	relaxed := template
	for _, check := range []*regexp.Regexp{alternation, emptyAnswer} {
		relaxed = check.ReplaceAllLiteralString(relaxed, `{{- '' }}`)
	}
	if otherRole.MatchString(relaxed) {
		relaxed = otherRole.ReplaceAllString(relaxed, systemAnywhere+"${0}"+endOfSystemAnywhere)
		relaxed = strings.ReplaceAll(relaxed, firstSystem, firstSystemOrDeveloper)
	}
	if relaxed == template {
		return ""
	}
	return relaxed
}
