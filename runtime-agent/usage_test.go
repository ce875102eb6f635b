package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// answerNumbers has a gateway with these numbers listen where commands look for it.
func answerNumbers(t *testing.T, v *vm, numbers string) {
	t.Helper()
	path := filepath.Join(v.root, appliance.GatewaySocket)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, numbers) }))
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
}

const started = appliance.MetricStart + " 1796029952\n"

func TestUsageAsTheDocumentationShowsIt(t *testing.T) {
	v := newVM(t)
	answerNumbers(t, v, started+`
slm_copilot_gateway_received_total{route="/v1/chat/completions",key="alice"} 12
slm_copilot_gateway_received_total{route="/v1/messages",key="alice"} 2
slm_copilot_gateway_received_total{route="/v1/models",key="alice"} 100
slm_copilot_gateway_received_total{route="/v1/completions",key="copilot"} 1
slm_copilot_gateway_received_total{route="/v1/responses",key="ci"} 3
slm_copilot_gateway_received_total{route="/metrics",key="monitor"} 1000
slm_copilot_gateway_requests_total{route="/v1/chat/completions",key="alice",status="200"} 9
slm_copilot_gateway_requests_total{route="/v1/chat/completions",key="alice",status="429"} 1
slm_copilot_gateway_requests_total{route="/v1/chat/completions",key="alice",status="499"} 1
slm_copilot_gateway_requests_total{route="/v1/messages",key="alice",status="503"} 2
slm_copilot_gateway_requests_total{route="/v1/models",key="alice",status="404"} 7
slm_copilot_gateway_prompt_tokens_total{key="alice",state="repeated"} 143079
slm_copilot_gateway_prompt_tokens_total{key="alice",state="new"} 40122
slm_copilot_gateway_prompt_tokens_total{key="ci",state="repeated"} 0
slm_copilot_gateway_prompt_tokens_total{key="ci",state="new"} 30
slm_copilot_gateway_answer_tokens_total{key="alice"} 2201
slm_copilot_gateway_answer_tokens_total{key="ci"} 1234567
slm_copilot_gateway_program_prompt_tokens_total{program="other",state="new"} 30
slm_copilot_gateway_program_prompt_tokens_total{program="completion in the editor",state="new"} 2040
slm_copilot_gateway_program_prompt_tokens_total{program="completion in the editor",state="repeated"} 18310
slm_copilot_gateway_program_prompt_tokens_total{program="Qwen Code",state="new"} 40122
slm_copilot_gateway_program_prompt_tokens_total{program="Qwen Code",state="repeated"} 143079
slm_copilot_gateway_parted_total{program="Qwen Code",at="tool content"} 2
slm_copilot_gateway_read_again_tokens_total{program="Qwen Code",at="tool content"} 20321
slm_copilot_gateway_parted_total{program="Qwen Code",at="user content"} 9
slm_copilot_gateway_read_again_tokens_total{program="Qwen Code",at="user content"} 603
slm_copilot_gateway_parted_total{program="other",at="system content"} 14
slm_copilot_gateway_read_again_tokens_total{program="other",at="system content"} 31007
slm_copilot_gateway_engine_seconds_total{key="alice"} 933.49
slm_copilot_gateway_engine_seconds_total{key="ci"} 2933.5
`)
	code, stdout, stderr := v.run("usage")
	require.Zero(t, code, stderr)
	shown := regexp.MustCompile("(?ms)^slm-copilot usage\n```\n\n```\n(.*?)^```$").FindStringSubmatch(readFile(t, "../docs/appliance.md"))
	require.NotNil(t, shown)
	assert.Equal(t, shown[1], stdout)
}

func TestNobodyHasUsedIt(t *testing.T) {
	v := newVM(t)
	answerNumbers(t, v, started+`slm_copilot_gateway_received_total{route="/readyz",key="-"} 12`+"\n")
	code, stdout, _ := v.run("usage")
	assert.Zero(t, code)
	assert.Equal(t, "Nobody has asked the model since 2026-11-30T09:12:32Z, when the gateway started.\n", stdout)
}

func TestUsageWithoutAGateway(t *testing.T) {
	v := newVM(t)
	code, _, stderr := v.run("usage")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "ask the gateway for its numbers (see journalctl -u slm-copilot-gateway.service): ")
	answerNumbers(t, v, "404 page not found")
	code, _, stderr = v.run("usage")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "without numbers")
}

// usageRow is that of three answers to questions without a key.
var usageRow = regexp.MustCompile(`(?m)^-  +3  +[1-9]\d*  +[1-9]\d*  +15  +0  +0$`)

// The numbers of a gateway that runs, and another one that begins again.
func TestUsageOfARunningGateway(t *testing.T) {
	g := newGateway(t, buildAgent(t), slowEngine(t, 0).Address)
	require.NoError(t, os.MkdirAll(filepath.Join(g.root, "run"), 0o755))
	require.NoError(t, os.Symlink(g.path, filepath.Join(g.root, appliance.GatewaySocket)))
	v := newVM(t)
	v.root = g.root
	process := g.start(t)
	_, stdout, _ := v.run("usage")
	assert.Contains(t, stdout, "Nobody has asked the model since ")
	for range 3 {
		response, err := g.ask(t, "192.0.2.1", 5)
		assert.Contains(t, g.read(t, response, err), "data: [DONE]")
	}
	require.Eventually(t, func() bool {
		_, stdout, _ = v.run("usage")
		return usageRow.MatchString(stdout)
	}, time.Minute, 10*time.Millisecond, "the answers are counted")
	require.NoError(t, process.Process.Kill())
	_ = process.Wait()
	g.start(t)
	_, stdout, _ = v.run("usage")
	assert.Contains(t, stdout, "Nobody has asked")
}

// Each place where a client can have the model read again has advice, and what is too little to be
// noticed is not told.
func TestWhatIsReadAgain(t *testing.T) {
	v := newVM(t)
	numbers := started + `slm_copilot_gateway_received_total{route="/v1/messages",key="copilot"} 1` + "\n"
	for _, at := range []string{"system content", "tools", "user content", "assistant content", "assistant tool_calls", "tool content"} {
		for _, name := range []string{"Cline", "other"} {
			numbers += fmt.Sprintf("slm_copilot_gateway_read_again_tokens_total{program=%q,at=%q} 1000\n", name, at)
		}
	}
	answerNumbers(t, v, numbers+`slm_copilot_gateway_read_again_tokens_total{program="pi",at="tools"} 999`+"\n")
	_, stdout, _ := v.run("usage")
	assert.Equal(t, 6, strings.Count(stdout, "\nCline, "))
	assert.Equal(t, 6, strings.Count(stdout, "\nother, "))
	assert.NotContains(t, stdout, "\npi")
}
