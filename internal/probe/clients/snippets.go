package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/shell"
)

// Snippet is a section to be copied unchanged. It works with every password an operator may
// choose: printable ASCII without blanks.
type Snippet struct{ Name, Text string }

const (
	// CAFile is the file Trust stores the root certificate in, in the current directory of the
	// shell.
	CAFile = "slm-copilot-ca.pem"
	// caPath becomes an absolute path when a shell expands it; the programs change their
	// directory.
	caPath = `"$PWD/` + CAFile + `"`
)

// greeting is the prompt of the examples.
var greeting = []any{map[string]string{"role": "user", "content": "Hello"}}

// Snippets returns the sections for all clients.
func (a Appliance) Snippets() []Snippet {
	var all []Snippet
	if a.Root != nil {
		all = append(all, a.Trust())
	}
	return append(all, a.Curl(), a.cline(), a.clineCLI(), a.continueDev(), a.Aider(), a.openCode(), a.claudeCode(),
		a.agentKey(), a.codex(), a.qwenCode(), a.pi(), a.piCompaction(), a.SDK(), a.Node(), a.Python())
}

// Trust downloads the root certificate and makes Node programs trust it
// (https://nodejs.org/api/cli.html#node_extra_ca_certsfile). They inherit the variable from
// the process that starts them.
func (a Appliance) Trust() Snippet {
	return Snippet{"Trust the certificate", fmt.Sprintf(`# The second line prints the fingerprint, or nothing if it is not the right one: stop then.
curl -sSfo %[1]s %[2]s
openssl x509 -in %[1]s -noout -fingerprint -sha256 | grep -F %[3]s
# Start editors from this shell.
export NODE_EXTRA_CA_CERTS=%[4]s
`, CAFile, shell.Quote(a.Root.URL), shell.Quote(a.Root.Fingerprint), caPath)}
}

// Curl reads the header from standard input, because command-line arguments are visible to
// every user.
func (a Appliance) Curl() Snippet {
	cacert := ""
	if a.Root != nil {
		cacert = "--cacert " + CAFile + " "
	}
	question := compactJSON(map[string]any{"model": a.Model, "messages": greeting})
	return Snippet{"curl", fmt.Sprintf(`printf 'Authorization: Bearer %%s\n' %s |
  curl %s-H @- -H 'Content-Type: application/json' -d %s %s
`, shell.Quote(a.Password), cacert, shell.Quote(question), shell.Quote(a.BaseURL+"/chat/completions"))}
}

// cline uses the field names of Cline's settings form
// (https://docs.cline.bot/provider-config/openai-compatible, and "providers/custom" there).
func (a Appliance) cline() Snippet {
	return Snippet{"Cline: provider OpenAI Compatible", indentedJSON(map[string]any{
		"apiProvider":   "openai",
		"openAiBaseUrl": a.BaseURL,
		"openAiApiKey":  a.Password,
		"openAiModelId": a.Model,
		"openAiModelInfo": map[string]any{
			"contextWindow": a.ContextSize, "maxTokens": a.answerSize(), "supportsImages": false,
		},
	})}
}

// continueDev follows https://docs.continue.dev/reference. JSON strings are valid YAML
// scalars. Left to itself Continue goes by the name of the model when it makes the prompt of a completion.
func (a Appliance) continueDev() Snippet {
	role, prompt := "", ""
	if a.Autocomplete != "" {
		role, prompt = ", autocomplete", "    promptTemplates:\n      autocomplete: "+compactJSON(a.Autocomplete)+"\n"
	}
	return Snippet{"Continue: ~/.continue/config.yaml", fmt.Sprintf(`name: SLM-Copilot
version: 1.0.0
schema: v1
models:
  - name: SLM-Copilot
    provider: openai
    model: %s
    apiBase: %s
    apiKey: %s
    roles: [chat, edit, apply%s]
    capabilities: [tool_use]
    defaultCompletionOptions:
      contextLength: %d
      maxTokens: %d
%s`, compactJSON(a.Model), compactJSON(a.BaseURL), compactJSON(verbatim(a.Password)), role, a.ContextSize, a.answerSize(), prompt)}
}

// Aider follows https://aider.chat/docs/llms/openai-compat.html; for the certificate see
// https://docs.litellm.ai/docs/guides/security_settings.
func (a Appliance) Aider() Snippet {
	certificate := ""
	if a.Root != nil {
		certificate = "  SSL_CERT_FILE=" + caPath + " \\\n"
	}
	return Snippet{"aider", fmt.Sprintf("OPENAI_API_BASE=%s OPENAI_API_KEY=%s \\\n%s  aider --model %s\n",
		shell.Quote(a.BaseURL), shell.Quote(a.Password), certificate, shell.Quote("openai/"+a.Model))}
}

// openCode follows https://opencode.ai/v1/docs/providers, which version 2 reads as well
// (https://opencode.ai/docs/migrate-v1). small_model sends auxiliary requests, such as those
// for titles, to the appliance too.
func (a Appliance) openCode() Snippet {
	model := provider + "/" + a.Model
	return Snippet{"OpenCode: ~/.config/opencode/opencode.json", indentedJSON(map[string]any{
		"$schema": "https://opencode.ai/config.json",
		"provider": map[string]any{provider: map[string]any{
			"npm":     "@ai-sdk/openai-compatible",
			"name":    "SLM-Copilot",
			"options": map[string]any{"baseURL": a.BaseURL, "apiKey": verbatim(a.Password)},
			"models": map[string]any{a.Model: map[string]any{
				"name":  a.Model,
				"limit": map[string]int{"context": a.ContextSize, "output": a.answerSize()},
			}},
		}},
		"model": model, "small_model": model,
	})}
}

// SDK sets the environment variables that OpenAI's own libraries for Python and Node read
// (https://github.com/openai/openai-python, openai-node: "base_url", "baseURL").
func (a Appliance) SDK() Snippet {
	text := fmt.Sprintf("export OPENAI_BASE_URL=%s\nexport OPENAI_API_KEY=%s\n", shell.Quote(a.BaseURL), shell.Quote(a.Password))
	return Snippet{"OpenAI SDK", text + a.trustVariable("SSL_CERT_FILE") + a.trustVariable("NODE_EXTRA_CA_CERTS")}
}

// Node needs a shell with the environment of SDK, and the library installed.
func (a Appliance) Node() Snippet {
	return Snippet{"OpenAI SDK: Node, after npm install openai", "node --input-type=module -e " + shell.Quote(fmt.Sprintf(`
import OpenAI from "openai";
const client = new OpenAI();
const answer = await client.chat.completions.create({model: %s, messages: %s});
console.log(answer.choices[0].message.content);
`, compactJSON(a.Model), compactJSON(greeting))) + "\n"}
}

// Python needs a shell with the environment of SDK, and the library installed. A JSON value
// that contains only strings is valid Python too.
func (a Appliance) Python() Snippet {
	return Snippet{"OpenAI SDK: Python, after pip install openai", "python3 -c " + shell.Quote(fmt.Sprintf(`
from openai import OpenAI
client = OpenAI()
answer = client.chat.completions.create(model=%s, messages=%s)
print(answer.choices[0].message.content)
`, compactJSON(a.Model), compactJSON(greeting))) + "\n"}
}

// answerSize is how many tokens of the context clients should reserve for the answer.
func (a Appliance) answerSize() int { return a.ContextSize / 4 }

// verbatim is a string that is encoded in JSON so that no program finds a placeholder in it:
// OpenCode replaces {env:NAME} and {file:PATH}, Continue ${{ secrets.NAME }}, in the text of
// their files.
type verbatim string

// MarshalJSON writes the braces as escapes.
func (v verbatim) MarshalJSON() ([]byte, error) {
	return []byte(strings.ReplaceAll(compactJSON(string(v)), "{", `\u007b`)), nil
}

func indentedJSON(value any) string { return encodeJSON(value, "  ") }

func compactJSON(value any) string { return strings.TrimSuffix(encodeJSON(value, ""), "\n") }

// encodeJSON does not escape & and <, because a user compares the password with the one shown
// above.
func encodeJSON(value any, indent string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	// Maps of strings and numbers can always be encoded.
	_ = encoder.Encode(value)
	return out.String()
}
