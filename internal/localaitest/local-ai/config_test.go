package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

func TestCommandLine(t *testing.T) {
	none := func(string) string { return "" }
	bad := func(name string) string {
		return map[string]string{"LOCALAI_THREADS": "all", "LOCALAI_CONTEXT_SIZE": "1k", "LOCALAI_CORS": "perhaps"}[name]
	}
	unknownFlag := `local-ai: error: unknown flag --no-such-flag`
	require.Contains(t, transcript(t, "103-yaml-wrong-keys.txt"), unknownFlag)
	for name, test := range map[string]struct {
		arguments   []string
		environment func(string) string
		code        int
		stdout      string
		stderr      string
	}{
		"version":      {[]string{"--version"}, none, 0, "v4.9.0 ()\n", ""},
		"unknown flag": {[]string{"run", "--no-such-flag"}, none, 1, "", unknownFlag + "\n"},
		"argument":     {[]string{"run", "fast"}, none, 1, "", "local-ai: error: unexpected argument fast\n"},
		"environment": {[]string{"run"}, bad, 1, "", `local-ai: error: LOCALAI_THREADS: expected a valid 64 bit int but got "all"` +
			"\n" + `LOCALAI_CONTEXT_SIZE: expected a valid 64 bit int but got "1k"` +
			"\n" + `LOCALAI_CORS: expected true or false but got "perhaps"` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := command(t.Context(), test.arguments, test.environment, &stdout, &stderr)
			assert.Equal(t, test.code, code)
			assert.Equal(t, test.stdout, stdout.String())
			assert.Equal(t, test.stderr, stderr.String())
		})
	}
}

func TestUnknownModelToPreloadEndsTheProcess(t *testing.T) {
	recorded := transcript(t, "103-yaml-wrong-keys.txt")
	require.Contains(t, recorded, `LOCALAI_LOAD_TO_MEMORY=nosuch            process exits "LocalAI failed to start"`)
	p := newLayout(t).start(t, "LOCALAI_LOAD_TO_MEMORY=nosuch")
	assert.Equal(t, 1, p.exitCode(t))
	assert.Contains(t, p.log.String(), "LocalAI failed to start")
}

func TestDefaults(t *testing.T) {
	c, err := readConfig(func(string) string { return "" })
	require.NoError(t, err)
	assert.Equal(t, ":8080", c.address)
	assert.Equal(t, "models", c.modelsPath)
	assert.Equal(t, "backends", c.backendsPath)
	assert.Positive(t, c.threads)
	assert.False(t, c.oneBackend)
}

// The mistakes of recording 103: unknown keys are ignored, a file that cannot be read is
// logged and its model absent, a file without a name is skipped without a word.
func TestModelFiles(t *testing.T) {
	l := layout{t.TempDir()}
	l.write(t, "a.yaml", "name: a\nparameters: {model: a.gguf, no_such: 1}\ncontextsize: 4096\ncontext_size: 512\nlimits: {max_concurrent: 4, retry_after_seconds: 30}\n")
	l.write(t, "b.yml", "name: b\nparameters: {model: b.gguf}\nfunction: {replace_llm_results: [{key: \"(?s).*\", value: \"\"}]}\n")
	l.write(t, "many.yaml", "name: many\ncontext_size: many\n")
	l.write(t, "nameless.yaml", "parameters: {model: c.gguf}\n")
	l.write(t, "syntax.yaml", "name: [\n")
	l.write(t, "readme.txt", "name: readme\n")
	var log bytes.Buffer
	models, err := readModels(config{modelsPath: l.dir, contextSize: 1024}, newLogger(&log, "text"))
	require.NoError(t, err)
	assert.Equal(t, []localaitest.Model{
		{Name: "a", File: "a.gguf", ContextSize: 512, MaxConcurrent: 4, RetryAfterSeconds: 30, Template: localaitest.Relaxed},
		{Name: "b", File: "b.gguf", ContextSize: 1024, Template: localaitest.Relaxed, TextIsText: true},
	}, models)
	assert.Contains(t, log.String(), "cannot unmarshal !!str `many` into int")
	assert.Contains(t, log.String(), `File Name="syntax.yaml"`)
	assert.NotContains(t, log.String(), "nameless")
}

func TestKilledBackendComesBack(t *testing.T) {
	l := newLayout(t)
	t.Setenv("TMPDIR", l.path("tmp"))
	model := localaitest.Model{Name: "tiny", File: "tiny.gguf"}
	e := newEngine(t.Context(), config{backendsPath: l.path("backends"), modelsPath: l.path("models")}, slog.New(slog.DiscardHandler))
	defer e.stop()
	require.ErrorContains(t, e.Check(model), "error reading from server: EOF", "nothing is loaded yet")
	require.NoError(t, e.Load(t.Context(), model))
	require.NoError(t, e.Check(model))
	first := e.backends["tiny"]
	require.NoError(t, e.Load(t.Context(), model))
	require.Same(t, first, e.backends["tiny"], "loaded once")

	kill(t, first.command.Process.Pid)
	<-first.gone
	require.ErrorContains(t, e.Check(model), "error reading from server: EOF")
	var call *localaitest.CallError
	require.ErrorAs(t, e.Load(t.Context(), model), &call)
	assert.Equal(t, localaitest.DialFailed(first.address), call.Message)

	first.died = time.Now().Add(-healthMemory)
	require.NoError(t, e.Load(t.Context(), model))
	assert.NotEqual(t, first.command.Process.Pid, e.backends["tiny"].command.Process.Pid)
	require.NoError(t, e.Check(model))

	outputs, err := filepath.Glob(l.path("tmp/go-processmanager*/output"))
	require.NoError(t, err)
	require.Len(t, outputs, 2)
	assert.Contains(t, readFile(t, outputs[0]), "Server listening on 127.0.0.1:")
}

func FuzzModelFile(f *testing.F) {
	f.Add("name: a\nparameters: {model: a.gguf}\ncontext_size: 512\n")
	f.Add("name: [")
	f.Fuzz(func(t *testing.T, content string) {
		l := layout{t.TempDir()}
		l.write(t, "model.yaml", content)
		models, err := readModels(config{modelsPath: l.dir}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		assert.LessOrEqual(t, len(models), 1)
	})
}
