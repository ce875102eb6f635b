package localaitest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// recordedKey is the API key of the recordings.
const recordedKey = "sk-appliance-0123456789"

var tiny = Model{Name: "tiny", File: "tiny.gguf", ContextSize: 2048}

// setup is how the recorded server was configured.
type setup func(t *testing.T) Options

func plain(*testing.T) Options { return Options{Models: []Model{tiny}} }

// withoutTools has a template in which no tool can be called: llama.cpp found none in that of the
// recorded model.
func withoutTools(*testing.T) Options {
	model := tiny
	model.Template = Gemma2
	return Options{Models: []Model{model}}
}

// devstral is the name of a model with Qwen 2.5's template.
func devstral(*testing.T) Options {
	return Options{Models: []Model{{Name: "devstral", ContextSize: 1024, Template: ChatML}}, Keys: []string{"test-key"}}
}

func keyed(*testing.T) Options {
	return Options{Models: []Model{tiny}, Keys: []string{recordedKey, "tiny"}}
}

func allowList(*testing.T) Options {
	return Options{Models: []Model{tiny}, Keys: []string{recordedKey}, AllowOrigins: []string{"https://app.example"}}
}

func opaque(*testing.T) Options {
	return Options{Models: []Model{tiny}, Keys: []string{recordedKey}, OpaqueErrors: true}
}

func noBackend(*testing.T) Options {
	return Options{Models: []Model{tiny}, Engine: failing{BackendMissing()}}
}

type failing struct{ err error }

func (failing) Backends() []string                  { return []string{} }
func (f failing) Load(context.Context, Model) error { return f.err }
func (failing) Check(Model) error                   { return nil }
func (failing) Tokenize(Model, int) error           { return nil }
func (failing) Unload(Model)                        {}

// badWeights is a models directory with every kind of unusable file.
func badWeights(t *testing.T) Options {
	dir := t.TempDir()
	var whole strings.Builder
	require.NoError(t, gguf.Write(&whole, gguf.Tiny("tiny")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "trunc.gguf"), []byte(whole.String()[:whole.Len()-100]), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "garbage.gguf"), []byte("\x02\xf3\x9c* and so on"), 0o644))
	return Options{
		Models: []Model{
			{Name: "tiny", File: "m2/missing.gguf"},
			{Name: "trunc", File: "m3/trunc.gguf"},
			{Name: "garbage", File: "m3/garbage.gguf"},
		},
		Engine: fromDisk{dir},
	}
}

// fromDisk reports the paths of the recording for files that are elsewhere.
type fromDisk struct{ dir string }

func (fromDisk) Backends() []string        { return []string{backendName} }
func (fromDisk) Check(Model) error         { return nil }
func (fromDisk) Unload(Model)              {}
func (fromDisk) Tokenize(Model, int) error { return nil }
func (e fromDisk) Load(_ context.Context, model Model) error {
	path := filepath.Join(e.dir, filepath.Base(model.File))
	err := CheckWeights(path)
	if err == nil {
		return nil
	}
	return errors.New(strings.ReplaceAll(err.Error(), path, "<WORK>/"+model.File))
}

// onlyTiny lists one model, as the recorded server did.
func onlyTiny(t *testing.T) Options {
	options := badWeights(t)
	options.Models = options.Models[:1]
	return options
}

// conformance says which recording is held against which server, and which recordings
// are played before it because the answer depends on them.
var conformance = []struct {
	file  string
	setup setup
	after []string
}{
	{file: "01-readyz-nothing-loaded.txt", setup: plain},
	{file: "02-healthz.txt", setup: plain},
	{file: "03-models.txt", setup: plain},
	{file: "04-version.txt", setup: plain},
	{file: "05-system-before-load.txt", setup: plain},
	{file: "06-metrics-before.txt", setup: plain, after: []string{"02-healthz.txt"}},
	{file: "07-root-webui-disabled.txt", setup: plain},
	{file: "08-unknown-path.txt", setup: plain},
	{file: "10-chat-first-request-loads.txt", setup: plain},
	{file: "11-chat-nonstream.txt", setup: plain, after: []string{"10-chat-first-request-loads.txt"}},
	{file: "12-system-after-load.txt", setup: plain, after: []string{"10-chat-first-request-loads.txt"}},
	{file: "14-chat-stream.txt", setup: plain},
	{file: "15-chat-stream-usage.txt", setup: plain},
	{file: "16-completions.txt", setup: plain},
	{file: "17-completions-stream.txt", setup: plain},
	{file: "18-tools-auto.txt", setup: plain},
	{file: "19-tools-required.txt", setup: withoutTools},
	{file: "20-tools-required-stream.txt", setup: withoutTools},
	{file: "21-wrong-model.txt", setup: plain},
	{file: "23-malformed-json.txt", setup: plain},
	{file: "24-missing-messages.txt", setup: plain},
	{file: "25-empty-messages.txt", setup: plain},
	{file: "26-empty-body.txt", setup: plain},
	{file: "27-no-model-field.txt", setup: plain},
	{file: "28-wrong-content-type.txt", setup: plain},
	{file: "29-get-on-chat.txt", setup: plain},
	{file: "30-context-overflow.txt", setup: plain},
	{file: "31-context-overflow-stream.txt", setup: plain},
	{file: "32-body-over-15MB.txt", setup: plain},
	{file: "35-stop-sequence.txt", setup: plain},
	{file: "37-preflight-default.txt", setup: plain},
	{file: "38-cors-simple-default.txt", setup: plain},
	{file: "39-csrf-cross-site.txt", setup: plain},
	{file: "40-gzip-models.txt", setup: plain},
	{file: "46-models-after.txt", setup: plain, after: []string{"10-chat-first-request-loads.txt"}},
	{file: "47-metrics-after.txt", setup: plain, after: []string{"10-chat-first-request-loads.txt"}},
	{file: "48-settings-open.txt", setup: plain},
	{file: "49-cors-proxy.txt", setup: plain},
	{file: "50-models-apply.txt", setup: plain},
	{file: "51-backends-apply.txt", setup: plain},
	{file: "60-backend-missing.txt", setup: noBackend},
	{file: "61-backend-missing-retry.txt", setup: noBackend, after: []string{"60-backend-missing.txt"}},
	{file: "62-backend-missing-stream.txt", setup: noBackend, after: []string{"60-backend-missing.txt"}},
	{file: "63-backend-missing-readyz.txt", setup: noBackend, after: []string{"60-backend-missing.txt"}},
	{file: "64-gguf-missing.txt", setup: badWeights},
	{file: "65-gguf-missing-models.txt", setup: onlyTiny, after: []string{"64-gguf-missing.txt"}},
	{file: "66-gguf-truncated.txt", setup: badWeights},
	{file: "67-gguf-garbage.txt", setup: badWeights},
	{file: "68-readyz-after-failures.txt", setup: badWeights, after: []string{"66-gguf-truncated.txt", "67-gguf-garbage.txt"}},
	{file: "70-auth-readyz-no-key.txt", setup: keyed},
	{file: "71-auth-healthz-no-key.txt", setup: keyed},
	{file: "72-auth-models-no-key.txt", setup: keyed},
	{file: "73-auth-chat-no-key.txt", setup: keyed},
	{file: "74-auth-chat-bearer.txt", setup: keyed},
	{file: "75-auth-chat-wrong-bearer.txt", setup: keyed},
	{file: "76-auth-chat-x-api-key.txt", setup: keyed},
	{file: "77-auth-chat-xi-api-key.txt", setup: keyed},
	{file: "78-auth-chat-basic.txt", setup: keyed},
	{file: "79-auth-basic-plus-x-api-key.txt", setup: keyed},
	{file: "80-auth-raw-authorization.txt", setup: keyed},
	{file: "81-auth-lowercase-bearer.txt", setup: keyed},
	{file: "82-auth-cookie-token.txt", setup: keyed},
	{file: "83-auth-query-key.txt", setup: keyed},
	{file: "84-auth-metrics-no-key.txt", setup: keyed},
	{file: "85-auth-metrics-key.txt", setup: keyed},
	{file: "86-auth-preflight-no-key.txt", setup: keyed},
	{file: "87-auth-401-cors-headers.txt", setup: keyed},
	{file: "91-auth-version-no-key.txt", setup: keyed},
	{file: "92-auth-bearer-equals-model-name.txt", setup: keyed},
	{file: "93-auth-settings-with-key.txt", setup: keyed},
	{file: "94-auth-401-stream.txt", setup: keyed},
	{file: "95-cors-allowlist-preflight.txt", setup: allowList},
	{file: "96-cors-allowlist-other.txt", setup: allowList},
	{file: "97-cors-allowlist-ok.txt", setup: allowList},
	{file: "98-opaque-errors.txt", setup: opaque},
	{file: "99-opaque-errors-401.txt", setup: opaque},
	{file: "107-backend-shutdown-open.txt", setup: plain, after: []string{"10-chat-first-request-loads.txt"}},
	{file: "113-two-assistants.txt", setup: devstral},
	{file: "115-arguments-empty.txt", setup: devstral},
	{file: "116-untyped-call.txt", setup: devstral},
	{file: "117-image.txt", setup: devstral},
	{file: "118-tool-type.txt", setup: devstral},
	{file: "119-tool-choice.txt", setup: devstral},
	{file: "122-completions-overflow-stream.txt", setup: devstral},
}

// comparedElsewhere are the recordings that are not a single exchange, and their tests.
var comparedElsewhere = map[string]string{
	"54-backend-killed-idle.txt":         "TestDeadBackend here and TestKilledBackendComesBack of local-ai",
	"55-backend-killed-midstream.txt":    "TestBackendDiesInAStream",
	"57-load-to-memory-boot.txt":         "TestPortOpensWhenTheModelIsLoaded of local-ai",
	"58-load-to-memory-missing-gguf.txt": "TestMissingWeightsEndTheProcess of local-ai",
	"59-load-to-memory-ignored.txt":      "TestPreloadIsSkippedWithOneActiveBackend of local-ai",
	"59a-sigterm-midstream.txt":          "TestSIGTERM of local-ai",
	"59b-sigkill-orphan.txt":             "TestSIGKILLLeavesNoBackend of local-ai",
	"103-yaml-wrong-keys.txt":            "TestModelFiles and TestCommandLine of local-ai",
	"105-limits-max-concurrent.txt":      "TestAdmissionLimit",
}

func TestConformance(t *testing.T) {
	for _, row := range conformance {
		t.Run(row.file, func(t *testing.T) {
			server := NewServer(t, row.setup(t))
			for _, file := range row.after {
				compare(t, server, readTranscript(t, file))
			}
			compare(t, server, readTranscript(t, row.file))
		})
	}
}

func TestEveryTranscriptIsCompared(t *testing.T) {
	claimed := map[string]bool{}
	for _, row := range conformance {
		assert.False(t, claimed[row.file], "%s is listed twice", row.file)
		claimed[row.file] = true
	}
	for file := range comparedElsewhere {
		claimed[file] = true
	}
	files, err := os.ReadDir(filepath.Join("testdata", "transcripts"))
	require.NoError(t, err)
	for _, file := range files {
		assert.True(t, claimed[file.Name()], "%s is claimed by lying there, but never compared", file.Name())
		delete(claimed, file.Name())
	}
	assert.Empty(t, claimed, "compared, but not there")
}

// compare plays the recorded request and demands the recorded answer.
func compare(t *testing.T, server *Server, want transcript) {
	t.Helper()
	response, body := play(t, server, want)
	assert.Equal(t,
		normalized(t, want.status, want.answer, want.body, want.cut),
		normalized(t, response.StatusCode, response.Header, body, want.cut))
}

// play sends the recorded request as curl did.
func play(t *testing.T, server *Server, tr transcript) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), tr.method, server.URL+tr.path, strings.NewReader(tr.requestBody))
	require.NoError(t, err)
	request.Header = tr.header.Clone()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	t.Cleanup(client.CloseIdleConnections)
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if response.Close {
		response.Header.Set("Connection", "close") // the client takes it out
	}
	return response, string(body)
}
