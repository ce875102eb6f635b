package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

// All that one machine runs, with the files as they are rendered: the engine (the real one if
// LOCALAI_BIN and the other variables are set), the gateway and nginx in front, and the agent that reports
// READY, then runs the acceptance checks and measures the speed.
func TestTheWholeMachine(t *testing.T) {
	v := newVM(t)
	v.configure(map[string]string{appliance.VarPassword: checkedPassword, appliance.VarContextSize: "4096", "ETH0_IP": "127.0.0.1"})
	engine := localaitest.Install(t).Start(t, localaitest.Rendered{
		Environment: []byte(v.read(appliance.LocalAIEnvFile)),
		ModelFile:   []byte(v.read(appliance.ModelConfigDir + "/model.yaml")),
		// The model refuses what agents send, as Devstral does, and so it has a relaxed template.
		ChatTemplate: []byte(v.read(appliance.ChatTemplateFile)),
		Unit:         []byte(v.read(appliance.UnitDir + "/" + appliance.LocalAIUnit)),
	})
	machine := v.behindNginx(t, strings.TrimPrefix(engine.URL, "http://"))
	v.baseURL = "https://" + machine.https

	code, _, stderr := v.run("bootstrap", "--timeout", "5m")
	require.Zero(t, code, "%s\n%s", stderr, engine.Log())
	assert.Equal(t, appliance.BootstrapSuccess+"\n", v.read(appliance.StatusFile))
	code, stdout, stderr := machine.check(t.Context(), v.root, "")
	assert.Zero(t, code, "%s%s\n%s", stdout, stderr, engine.Log())
	t.Log(stdout)

	machine.serveGateway(machine.gateway)
	code, stdout, stderr = v.run("benchmark")
	assert.Zero(t, code, "%s%s\n%s", stdout, stderr, engine.Log())
	t.Log(stdout)
}
