package clients

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// nasty are passwords to which some program gives a meaning.
var nasty = []string{
	"the-password", `''''''''`, `""""""""`, `\\\\\\\\`, "`id`$(id)", "$PATH${PATH}", "!!history!", "#comment#", "@/etc/passwd", "-n-e-H-d-",
	`\u0041\n\x41\101`, "{env:HOME}", "{file:/etc/passwd}", "${{secrets.KEY}}", "{{.Password}}", "%s%d%n%%%", "<&amp;>&&|;", "*?[a-z]~", "null1234",
	"12345678", "0x123456", "1e999999", ": - : - ", "'\"`\\$#{}", `'\''"'"'`, "\\", "'", allPrintable(),
}

func allPrintable() string {
	var all []byte
	for c := byte('!'); c <= '~'; c++ {
		all = append(all, c)
	}
	return string(all)
}

// sources are an appliance whose root must be trusted, and one that the world trusts.
var sources = map[string]*Root{"own": {URL: "http://copilot.example.org/ca.pem", Fingerprint: "<root_sha256 of the report>"}, "acme": nil}

// example is an appliance whose certificate has the given source.
func example(source string) Appliance {
	return Appliance{
		BaseURL: "https://copilot.example.org/v1", Password: "the-password", Model: "devstral-small-2", ContextSize: 32768,
		Root: sources[source],
	}
}

// allowed makes a password of any bytes.
func allowed(text string) string {
	return strings.Map(func(r rune) rune { return '!' + r%('~'-'!'+1) }, text)
}

func TestEveryPasswordSurvives(t *testing.T) {
	for _, text := range nasty {
		assertSurvives(t, strings.ReplaceAll(text, " ", ""))
	}
}

func FuzzSnippets(f *testing.F) {
	for _, text := range nasty {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text = allowed(text); text != "" {
			assertSurvives(t, text)
		}
	})
}

// assertSurvives reads every snippet as its program does, and looks for the password.
func assertSurvives(t *testing.T, password string) {
	t.Helper()
	for source := range sources {
		appliance := example(source)
		appliance.Password = password

		var cline struct {
			Key     string `json:"openAiApiKey"`
			BaseURL string `json:"openAiBaseUrl"`
		}
		require.NoError(t, json.Unmarshal([]byte(appliance.cline().Text), &cline))
		assert.Equal(t, password, cline.Key)
		assert.Equal(t, "https://copilot.example.org/v1", cline.BaseURL)

		assert.Equal(t, password, clineCLIKey(t, appliance.clineCLI().Text))
		openCode, continueDev := appliance.openCode().Text, appliance.continueDev().Text
		assert.Equal(t, password, openCodeKey(t, openCode))
		assert.Equal(t, password, continueKey(t, continueDev))
		assert.NotRegexp(t, `\{env:|\{file:|\$\{\{`, openCode+continueDev, "what they would replace")
		assert.Equal(t, []string{"Authorization: Bearer " + password, password, password, password, password, password, password}, shellKeys(t, appliance))
	}
}

func clineCLIKey(t *testing.T, text string) string {
	t.Helper()
	var config struct {
		Last      string `json:"lastUsedProvider"`
		Providers map[string]struct {
			Settings struct {
				BaseURL string `json:"baseUrl"`
				Key     string `json:"apiKey"`
				Context int    `json:"contextWindow"`
			} `json:"settings"`
		} `json:"providers"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &config))
	settings := config.Providers[config.Last].Settings
	assert.Equal(t, "https://copilot.example.org/v1", settings.BaseURL)
	assert.Equal(t, 32768, settings.Context)
	return settings.Key
}

func openCodeKey(t *testing.T, text string) string {
	t.Helper()
	var config struct {
		Model    string `json:"model"`
		Provider map[string]struct {
			Options struct {
				BaseURL string `json:"baseURL"`
				Key     string `json:"apiKey"`
			} `json:"options"`
			Models map[string]struct {
				Limit map[string]int `json:"limit"`
			} `json:"models"`
		} `json:"provider"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &config))
	provider := config.Provider["slm-copilot"]
	assert.Equal(t, "https://copilot.example.org/v1", provider.Options.BaseURL)
	assert.Equal(t, map[string]int{"context": 32768, "output": 8192}, provider.Models["devstral-small-2"].Limit)
	assert.Equal(t, "slm-copilot/devstral-small-2", config.Model)
	return provider.Options.Key
}

func continueKey(t *testing.T, text string) string {
	t.Helper()
	var config struct {
		Schema string
		Models []struct {
			Provider, Model string
			Base            string `yaml:"apiBase"`
			Key             string `yaml:"apiKey"`
			Options         struct {
				Length int `yaml:"contextLength"`
			} `yaml:"defaultCompletionOptions"`
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &config))
	require.Len(t, config.Models, 1)
	model := config.Models[0]
	assert.Equal(t, "v1 openai devstral-small-2 https://copilot.example.org/v1 32768",
		strings.Join([]string{config.Schema, model.Provider, model.Model, model.Base, compactJSON(model.Options.Length)}, " "))
	return model.Key
}

// shellKeys runs what is meant for a shell, with programs that only repeat the secret.
func shellKeys(t *testing.T, appliance Appliance) []string {
	t.Helper()
	script := "curl() { cat; }\ntell() { printf '%s\\n' \"$OPENAI_API_KEY\"; }\naider() { tell; }\nnode() { tell; }\npython3() { tell; }\n"
	for _, snippet := range []Snippet{appliance.Curl(), appliance.Aider(), appliance.SDK(), appliance.Node(), appliance.Python()} {
		script += snippet.Text
	}
	script += "tell\n" + appliance.claudeCode().Text + "printf '%s\\n' \"$ANTHROPIC_AUTH_TOKEN\"\n" +
		appliance.agentKey().Text + "printf '%s\\n' \"$SLM_COPILOT_KEY\"\n"
	command := exec.CommandContext(t.Context(), "sh", "-eu")
	command.Stdin = strings.NewReader(script)
	command.Env = []string{"PATH=/usr/bin:/bin", "PWD=/"}
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, stderr.String())
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// The lines for a shell are run as they stand, with the real curl and openssl.
func TestTheCurlSnippetWorks(t *testing.T) {
	for _, program := range []string{"curl", "openssl"} {
		_, err := exec.LookPath(program)
		require.NoError(t, err, program+" is missing: run make setup")
	}
	const password = `'"$(id)` + "`id`" + `\%s#{env:X}`
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, "POST /v1/chat/completions", r.Method+" "+r.URL.Path)
		assert.Equal(t, "Bearer "+password, r.Header.Get("Authorization"))
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		assert.JSONEq(t, `{"model": "it's", "messages": [{"role": "user", "content": "Hello"}]}`, string(body))
		_, _ = io.WriteString(w, "an answer")
	}))
	t.Cleanup(server.Close)
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/ca.pem", r.URL.Path)
		_, _ = w.Write(root)
	}))
	t.Cleanup(plain.Close)

	dir := t.TempDir()
	appliance := Appliance{
		BaseURL: server.URL + "/v1", Model: "it's", Password: password,
		Root: &Root{URL: plain.URL + "/ca.pem", Fingerprint: Fingerprint(server.Certificate())},
	}
	command := exec.CommandContext(t.Context(), "sh", "-eu", "-c", appliance.Trust().Text+appliance.Curl().Text)
	command.Dir = dir
	command.Env = []string{"PATH=/usr/bin:/bin"}
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Regexp(t, `(?s)sha256 Fingerprint=[0-9A-F:]{95}\n.*an answer$`, string(out))
	fetched, err := os.ReadFile(filepath.Join(dir, CAFile))
	require.NoError(t, err)
	assert.Equal(t, root, fetched)
}

// A root that somebody has put in the place of the right one is not said to be it.
func TestAnotherRootIsNoticed(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	}))
	t.Cleanup(plain.Close)
	trust := Appliance{Root: &Root{URL: plain.URL, Fingerprint: "AA:BB"}}.Trust()
	command := exec.CommandContext(t.Context(), "sh", "-eu", "-c", trust.Text)
	command.Dir = t.TempDir()
	out, err := command.CombinedOutput()
	require.Error(t, err)
	assert.Empty(t, string(out))
}

// Codex, Qwen Code and pi replace parts of what their files say, or run it: the password is in
// none of them.
func TestFilesOfAgentsNameTheVariableOfThePassword(t *testing.T) {
	a := example("own")
	for _, snippet := range []Snippet{a.codex(), a.qwenCode(), a.pi(), a.piCompaction()} {
		assert.NotContains(t, snippet.Text, a.Password, snippet.Name)
	}
	for _, snippet := range []Snippet{a.codex(), a.qwenCode(), a.pi()} {
		assert.Contains(t, snippet.Text, `"SLM_COPILOT_KEY"`, snippet.Name)
	}
}

// Claude Code compacts a conversation claudeMargin tokens before the context size that it is told
// and the answer. Then the conversation, the request for a summary and the summary must fit.
func TestClaudeCodeCompactsWhileASummaryFits(t *testing.T) {
	for _, size := range []int{32768, 65536, 131072} {
		a := Appliance{ContextSize: size}
		compacts := a.claudeContext() - a.claudeAnswer() - claudeMargin
		assert.Equal(t, size, compacts+claudeSummary+a.claudeAnswer())
	}
}

// Where the world trusts the certificate, nobody is told to trust something else.
func TestTrustIsAskedForOnlyWhereItIsNeeded(t *testing.T) {
	for source, root := range sources {
		var text strings.Builder
		for _, snippet := range example(source).Snippets() {
			text.WriteString(snippet.Text)
		}
		assert.Equal(t, root != nil, regexp.MustCompile(`ca\.pem|CA_CERTS|CERT_FILE|--cacert`).MatchString(text.String()))
	}
}

// The page for users shows what the report says.
func TestDocumentationShowsTheSnippets(t *testing.T) {
	page, err := os.ReadFile("../../../docs/clients.md")
	require.NoError(t, err)
	for _, snippet := range example("own").Snippets() {
		assert.Contains(t, string(page), "\n"+snippet.Text+"```\n", snippet.Name)
	}
}

// Everybody can read the arguments of a program.
func TestNoProgramGetsThePasswordAsArgument(t *testing.T) {
	a := example("own")
	for _, line := range strings.Split(a.Curl().Text, "\n") {
		if strings.Contains(line, "curl ") {
			assert.NotContains(t, line, "the-password")
		}
	}
	assert.NotContains(t, strings.SplitAfter(a.Aider().Text, "aider ")[1], "the-password")
	assert.NotContains(t, a.Node().Text+a.Python().Text, "the-password")
}

// coder is an appliance whose model fills in the middle.
func coder() Appliance {
	a := example("own")
	a.Model, a.Autocomplete = "qwen2.5-coder-7b", "<|fim_prefix|>{{{prefix}}}<|fim_suffix|>{{{suffix}}}<|fim_middle|>"
	return a
}

// Continue completes while one types only where the model fills in the middle, with the prompt of that model.
func TestCompletionInTheEditorOnlyWithAModelForIt(t *testing.T) {
	type config struct {
		Models []struct {
			Roles   []string
			Prompts map[string]string `yaml:"promptTemplates"`
		}
	}
	for _, a := range []Appliance{example("own"), coder()} {
		var got config
		require.NoError(t, yaml.Unmarshal([]byte(a.continueDev().Text), &got))
		require.Len(t, got.Models, 1)
		want := []string{"chat", "edit", "apply"}
		if a.Autocomplete != "" {
			want = append(want, "autocomplete")
		}
		assert.Equal(t, want, got.Models[0].Roles)
		assert.Equal(t, a.Autocomplete, got.Models[0].Prompts["autocomplete"])
	}
	page, err := os.ReadFile("../../../docs/clients.md")
	require.NoError(t, err)
	assert.Contains(t, string(page), "\n"+coder().continueDev().Text+"```\n")
}
