package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// snippet is a section to be copied as it is. It is right for every password an operator
// may choose: printable ASCII without blanks.
type snippet struct{ name, text string }

const (
	caFile = "slm-copilot-ca.pem"
	// caPath is absolute once a shell has read it; the programs change their directory.
	caPath = `"$PWD/` + caFile + `"`
	// patience is how long clients wait. It is more than the appliance ever takes: it ends
	// an answer itself that is silent for too long, while clients give up after five or
	// ten minutes, in the middle of a long prompt.
	patience = 24 * time.Hour
)

func (r Report) snippets() []snippet {
	var all []snippet
	if r.ownAuthority() {
		all = append(all, snippet{"Trust the certificate", r.trust()})
	}
	return append(all,
		snippet{"curl", r.curl()},
		snippet{"Cline: provider OpenAI Compatible", r.cline()},
		snippet{"Continue: config.yaml", r.continueDev()},
		snippet{"aider", r.aider()},
		snippet{"OpenCode: opencode.json", r.openCode()},
		snippet{"OpenAI SDK", r.sdk()},
	)
}

// trust fetches the root and lets Node's programs trust it
// (https://nodejs.org/api/cli.html#node_extra_ca_certsfile). They take the variable from
// what starts them.
func (r Report) trust() string {
	return fmt.Sprintf(`# The fingerprint must be root_sha256 above. Start editors from this shell.
curl -o %[1]s %[2]s
openssl x509 -in %[1]s -noout -fingerprint -sha256
export NODE_EXTRA_CA_CERTS=%[3]s
`, caFile, shellQuote(r.rootURL()), caPath)
}

// curl reads the header from its input, because everybody can read its arguments.
func (r Report) curl() string {
	cacert := ""
	if r.ownAuthority() {
		cacert = "--cacert " + caFile + " "
	}
	question := compactJSON(map[string]any{
		"model": r.Status.Model, "messages": []any{map[string]string{"role": "user", "content": "Hello"}},
	})
	return fmt.Sprintf(`printf 'Authorization: Bearer %%s\n' %s |
  curl %s-H @- -H 'Content-Type: application/json' -d %s %s
`, shellQuote(r.Password), cacert, shellQuote(question), shellQuote(r.Endpoint()+"/chat/completions"))
}

// cline names the fields of the settings form as Cline itself does
// (https://docs.cline.bot/provider-config/openai-compatible, and "providers/custom" there).
func (r Report) cline() string {
	return indentedJSON(map[string]any{
		"apiProvider":   "openai",
		"openAiBaseUrl": r.Endpoint(),
		"openAiApiKey":  r.Password,
		"openAiModelId": r.Status.Model,
		"openAiModelInfo": map[string]any{
			"contextWindow": r.Status.ContextSize, "maxTokens": r.answerSize(), "supportsImages": false,
		},
	})
}

// continueDev follows https://docs.continue.dev/reference. A JSON string is a YAML scalar.
func (r Report) continueDev() string {
	return fmt.Sprintf(`name: SLM-Copilot
version: 1.0.0
schema: v1
models:
  - name: SLM-Copilot
    provider: openai
    model: %s
    apiBase: %s
    apiKey: %s
    roles: [chat, edit, apply]
    capabilities: [tool_use]
    defaultCompletionOptions:
      contextLength: %d
`, compactJSON(r.Status.Model), compactJSON(r.Endpoint()), compactJSON(verbatim(r.Password)), r.Status.ContextSize)
}

// aider follows https://aider.chat/docs/llms/openai-compat.html; for the certificate see
// https://docs.litellm.ai/docs/guides/security_settings.
func (r Report) aider() string {
	certificate := ""
	if r.ownAuthority() {
		certificate = "  SSL_CERT_FILE=" + caPath + " \\\n"
	}
	return fmt.Sprintf("OPENAI_API_BASE=%s OPENAI_API_KEY=%s \\\n%s  aider --model %s --timeout %d\n",
		shellQuote(r.Endpoint()), shellQuote(r.Password), certificate, shellQuote("openai/"+r.Status.Model), int(patience.Seconds()))
}

// openCode follows https://opencode.ai/v1/docs/providers, which version 2 reads as well
// (https://opencode.ai/docs/migrate-v1). small_model keeps what it asks on the side, such as
// titles, on the appliance too.
func (r Report) openCode() string {
	const provider = "slm-copilot"
	model := provider + "/" + r.Status.Model
	return indentedJSON(map[string]any{
		"$schema": "https://opencode.ai/config.json",
		"provider": map[string]any{provider: map[string]any{
			"npm":  "@ai-sdk/openai-compatible",
			"name": "SLM-Copilot",
			"options": map[string]any{
				"baseURL": r.Endpoint(), "apiKey": verbatim(r.Password),
				"timeout": patience.Milliseconds(), "headerTimeout": patience.Milliseconds(), "chunkTimeout": patience.Milliseconds(),
			},
			"models": map[string]any{r.Status.Model: map[string]any{
				"name":  r.Status.Model,
				"limit": map[string]int{"context": r.Status.ContextSize, "output": r.answerSize()},
			}},
		}},
		"model": model, "small_model": model,
	})
}

// sdk is the environment OpenAI's own libraries read, for Python and for Node
// (https://github.com/openai/openai-python, openai-node: "base_url", "baseURL").
func (r Report) sdk() string {
	text := fmt.Sprintf("export OPENAI_BASE_URL=%s\nexport OPENAI_API_KEY=%s\n", shellQuote(r.Endpoint()), shellQuote(r.Password))
	if r.ownAuthority() {
		text += "export SSL_CERT_FILE=" + caPath + "\nexport NODE_EXTRA_CA_CERTS=" + caPath + "\n"
	}
	return text
}

// answerSize is what clients shall leave of the context for an answer, in tokens.
func (r Report) answerSize() int { return r.Status.ContextSize / 4 }

// verbatim is a string in whose JSON form no program finds a variable to replace: OpenCode
// replaces {env:NAME} and {file:PATH}, Continue ${{ secrets.NAME }}, in the text of their
// files.
type verbatim string

// MarshalJSON writes the braces as escapes.
func (v verbatim) MarshalJSON() ([]byte, error) {
	return []byte(strings.ReplaceAll(compactJSON(string(v)), "{", `\u007b`)), nil
}

func indentedJSON(value any) string { return encodeJSON(value, "  ") }

func compactJSON(value any) string { return strings.TrimSuffix(encodeJSON(value, ""), "\n") }

// encodeJSON writes & and < as they are: a user compares the password with the one above.
func encodeJSON(value any, indent string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	// Maps of strings and numbers always have a JSON form.
	_ = encoder.Encode(value)
	return out.String()
}

func shellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
