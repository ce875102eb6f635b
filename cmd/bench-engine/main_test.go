package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/cmd/bench-engine/synthetic"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/completion"
)

// envServer has this test's program be a stand-in for llama-server, which writes its flags to the file that the variable
// names.
const envServer = "BENCH_ENGINE_SERVER"

func TestMain(m *testing.M) {
	if file := os.Getenv(envServer); file != "" {
		serve(file)
	}
	os.Exit(m.Run())
}

// serve answers with what follows the last word of the prompt.
func serve(file string) {
	noted, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(noted, os.Getpid(), os.Getenv("GOMP_SPINCOUNT"), os.Getenv("GLIBC_TUNABLES"), strings.Join(os.Args[1:], " "))
	_ = noted.Close()
	http.HandleFunc("/health", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc(appliance.PathChat, func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Messages  []struct{ Content string }
			MaxTokens int `json:"max_tokens"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			panic(err)
		}
		prompt := strings.Fields(body.Messages[0].Content)
		w.Header().Set("Content-Type", "text/event-stream")
		for _, word := range synthetic.After(prompt[len(prompt)-1], body.MaxTokens) {
			fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":\" %s\"}}]}\n\n", word)
		}
		fmt.Fprintf(w, "data: [DONE]\n\n")
	})
	panic(http.ListenAndServe(os.Args[2]+":"+os.Args[4], nil))
}

// standIns returns options that name stand-ins, and the file in which llama-server's notes what it is started with.
func standIns(t *testing.T) (o options, started string) {
	t.Helper()
	files, dir := localaitest.InstallStandIn(t).Files(), t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	o = options{localai: files.Binary, backends: files.Backends, server: self, model: files.Weights, rounds: 1, agent: filepath.Join(dir, "slm-copilot"), plot: filepath.Join(dir, "plot.svg")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", o.agent, "../../runtime-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	said, err := build.CombinedOutput()
	require.NoError(t, err, string(said))
	started = filepath.Join(dir, "started")
	t.Setenv(envServer, started)
	return o, started
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func TestSettings(t *testing.T) {
	o, started := standIns(t)
	o.groups = []string{"attention", "speculation"}
	var out, said bytes.Buffer
	require.NoError(t, bench(t.Context(), o, &out, &said))
	assert.Equal(t, 4, strings.Count(out.String(), "| as the appliance | "), "of each group one by the clock, and one by the processors' time")
	for _, name := range []string{"flash attention off", "KV cache q8_0", "no speculation"} {
		assert.Contains(t, out.String(), "| "+name+" | ")
	}
	servers := lines(t, started)
	require.Len(t, servers, 5, "three, and the base twice")
	assert.Contains(t, servers[0], " 10000 glibc.malloc.hugetlb=1 ")
	assert.Contains(t, servers[0], "--flash-attn on")
	assert.Contains(t, servers[0], "--spec-type ngram-mod")
	assert.Contains(t, servers[1], "--flash-attn off")
	assert.True(t, strings.HasSuffix(servers[4], "--spec-type none"), "the last one counts: %s", servers[4])
	for _, line := range servers {
		pid, _, _ := strings.Cut(line, " ")
		assert.NoDirExists(t, "/proc/"+pid, "it was ended")
	}
	picture, err := os.ReadFile(o.plot)
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(string(picture), `font-size="13"`), "a panel for each group")
}

func TestProcessorTime(t *testing.T) {
	self := os.Getpid()
	before, err := processorTime([]int{self})
	require.NoError(t, err)
	for after := before; after <= before; {
		after, err = processorTime([]int{self}) // which takes some
		require.NoError(t, err)
	}
	twice, err := processorTime([]int{self, self})
	require.NoError(t, err)
	assert.Greater(t, twice, before+before)
	_, err = processorTime([]int{self, 1 << 30})
	assert.ErrorContains(t, err, "read how long a server has computed: open /proc/1073741824/stat")
}

func TestWaitingNeedsOpenMP(t *testing.T) {
	o, started := standIns(t)
	o.groups = []string{waitingGroup}
	err := bench(t.Context(), o, io.Discard, io.Discard)
	assert.ErrorContains(t, err, "built without OpenMP")
	pid, _, _ := strings.Cut(lines(t, started)[0], " ")
	assert.NoDirExists(t, "/proc/"+pid, "it was ended")
}

func TestAnInterruptEndsTheServers(t *testing.T) {
	o, started := standIns(t)
	o.groups = []string{"speculation"}
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	go func() {
		// It says what begins; meanwhile one is on its way.
		_, _ = reader.Read(make([]byte, 1))
		cancel()
		_, _ = io.Copy(io.Discard, reader)
	}()
	assert.ErrorIs(t, bench(ctx, o, io.Discard, writer), context.Canceled)
	if _, err := os.Stat(started); err != nil {
		return // none had begun
	}
	for _, line := range lines(t, started) {
		pid, _, _ := strings.Cut(line, " ")
		assert.NoDirExists(t, "/proc/"+pid, line)
	}
}

// What an operator's machine runs: the agent's files, LocalAI and the gateway.
func TestAnApplianceIsStarted(t *testing.T) {
	o, _ := standIns(t)
	root := t.TempDir()
	whole, err := configure(t.Context(), o, root)
	require.NoError(t, err)
	files, err := whole.rendered()
	require.NoError(t, err)
	for i := 0; i < len(ours().flags); i += 2 {
		name := strings.ReplaceAll(strings.TrimPrefix(ours().flags[i], "--"), "-", "_")
		assert.Contains(t, string(files.ModelFile), "- "+name+":"+ours().flags[i+1]+"\n", "the base is what the appliance sets")
	}
	for _, variable := range ours().environment {
		assert.Contains(t, string(files.Environment), "\n"+variable+"\n", "the base is what the appliance sets")
	}
	assert.Contains(t, string(files.ModelFile), "\n  batch: 512\n")
	assert.Contains(t, string(files.ModelFile), "\nflash_attention: \"on\"\n")
	r, err := whole.start(t.Context())
	require.NoError(t, err)
	result, err := completion.Stream(t.Context(), r.client, r.url, appliance.ModelID, "", "Say: hello", 3)
	assert.NoError(t, err)
	assert.Equal(t, "hello", strings.TrimSpace(result.Text))
	assert.Positive(t, r.load)
	_, err = r.ask(t.Context(), " one two", " three four")
	assert.ErrorContains(t, err, "is the model one that `bench-engine model` wrote?")
	r.end()
	processes, err := filepath.Glob("/proc/[1-9]*/cmdline")
	require.NoError(t, err)
	for _, path := range processes {
		text, _ := os.ReadFile(path) // it may have ended
		assert.NotContains(t, string(text), root)
		assert.NotContains(t, string(text), o.localai)
	}
}

func TestAnApplianceThatIsNotTheModelsIsRefused(t *testing.T) {
	o, _ := standIns(t)
	o.groups = []string{applianceGroup}
	assert.ErrorContains(t, bench(t.Context(), o, io.Discard, io.Discard), "LocalAI without the gateway: the answer is ")
}

func TestEverythingThatIsMissingIsNamed(t *testing.T) {
	err := run(t.Context(), []string{"-backends", t.TempDir(), "-only", "threads,luck", "-rounds", "0", "more"}, io.Discard, io.Discard)
	require.Error(t, err)
	for _, mistake := range []string{
		"-localai: name LocalAI's program", "-backends: name the directory of LocalAI's backends: stat ", "llama-cpp/run.sh: no such file",
		"-llama-server: ", "-agent: name the agent; make build makes it", "-model: name a model", `-only: there is no group "luck", only waiting, `,
		"-rounds: must be 1 or more, not 0", `"more" is no option`, "see bench-engine -h",
	} {
		assert.ErrorContains(t, err, mistake)
	}
}

func TestUsage(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-h"}, &out, io.Discard))
	assert.Contains(t, out.String(), "devstral-small-2 or qwen3-coder-30b-a3b")
	assert.Contains(t, out.String(), "speculation, appliance")
}

func TestModel(t *testing.T) {
	for mistake, arguments := range map[string][]string{
		"name a shape, the number of layers and a file": {"model"},
		`there is no shape "gpt"`:                       {"model", "gpt", "2", "x"},
		`the number of layers is "0", must be 1`:        {"model", "devstral-small-2", "0", "x"},
		"no such file or directory":                     {"model", "devstral-small-2", "1", filepath.Join(t.TempDir(), "no", "x")},
	} {
		assert.ErrorContains(t, run(t.Context(), arguments, io.Discard, io.Discard), mistake)
	}
}
