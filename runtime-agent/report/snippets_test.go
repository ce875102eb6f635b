package report

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

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
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
	for _, source := range []string{status.SourceOwn, status.SourceACME} {
		report := ready(source)
		report.Password = password

		var cline struct {
			Key     string `json:"openAiApiKey"`
			BaseURL string `json:"openAiBaseUrl"`
		}
		require.NoError(t, json.Unmarshal([]byte(report.cline()), &cline))
		assert.Equal(t, password, cline.Key)
		assert.Equal(t, "https://copilot.example.org/v1", cline.BaseURL)

		assert.Equal(t, password, openCodeKey(t, report.openCode()))
		assert.Equal(t, password, continueKey(t, report.continueDev()))
		assert.NotRegexp(t, `\{env:|\{file:|\$\{\{`, report.openCode()+report.continueDev(), "what they would replace")
		assert.Equal(t, []string{"Authorization: Bearer " + password, password, password}, shellKeys(t, report))
	}
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
func shellKeys(t *testing.T, report Report) []string {
	t.Helper()
	script := "curl() { cat; }\naider() { printf '%s\\n' \"$OPENAI_API_KEY\"; }\n" +
		report.curl() + report.aider() + report.sdk() + "printf '%s\\n' \"$OPENAI_API_KEY\"\n"
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
	report := ready(status.SourceOwn)
	report.Status.Host, report.Status.Model, report.Password = "127.0.0.1", "it's", password
	// The report speaks of the appliance's own ports.
	script := strings.NewReplacer("http://127.0.0.1/", plain.URL+"/", "https://127.0.0.1/", server.URL+"/").Replace(report.trust() + report.curl())
	command := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script)
	command.Dir = dir
	command.Env = []string{"PATH=/usr/bin:/bin"}
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Regexp(t, regexp.MustCompile(`(?s)sha256 Fingerprint=[0-9A-F:]{95}\n.*an answer$`), string(out))
	fetched, err := os.ReadFile(filepath.Join(dir, caFile))
	require.NoError(t, err)
	assert.Equal(t, root, fetched)
}

// The page for users shows what the report says.
func TestDocumentationShowsTheSnippets(t *testing.T) {
	page, err := os.ReadFile("../../docs/clients.md")
	require.NoError(t, err)
	for _, snippet := range ready(status.SourceOwn).snippets() {
		assert.Contains(t, string(page), "\n"+snippet.text+"```\n", snippet.name)
	}
}

// Everybody can read the arguments of a program.
func TestNoProgramGetsThePasswordAsArgument(t *testing.T) {
	for _, line := range strings.Split(ready(status.SourceOwn).curl(), "\n") {
		if strings.Contains(line, "curl ") {
			assert.NotContains(t, line, "the-password")
		}
	}
	assert.NotContains(t, strings.SplitAfter(ready(status.SourceOwn).aider(), "aider ")[1], "the-password")
}
