package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/speed"
)

// serveGateway takes the place of the gateway.
func (v *vm) serveGateway(handler http.Handler) {
	v.t.Helper()
	path := filepath.Join(v.root, appliance.GatewaySocket)
	require.NoError(v.t, os.MkdirAll(filepath.Dir(path), 0o755))
	listener, err := net.Listen("unix", path)
	require.NoError(v.t, err)
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	v.t.Cleanup(func() { _ = server.Close() })
}

func TestSpeed(t *testing.T) {
	endpoint, reported := oneGate(t, http.StatusOK)
	values := map[string]string{
		appliance.VarOneGateEndpoint: endpoint, appliance.VarOneGateToken: "the-token", appliance.VarVMID: "7", appliance.VarThreads: "2",
	}
	v := newVM(t)
	v.configure(values)
	code, _, stderr := v.run("benchmark")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "the appliance is not ready")

	v.serve()
	v.serveGateway(v.gatewayTo(t, localaitest.NewServer(t, localaitest.Options{
		Keys: []string{strings.TrimSpace(v.read(appliance.EngineKeyFile))}, TokenDelay: time.Millisecond,
	}).Address))
	code, _, stderr = v.run("bootstrap", "--timeout", "1m")
	require.Zero(t, code, stderr)
	assert.Contains(t, v.units.calls, "restart "+appliance.BenchmarkUnit)
	code, _, stderr = v.run("benchmark", "--once")
	require.Zero(t, code, stderr)
	measured, err := speed.Load(filepath.Join(v.root, appliance.SpeedFile))
	require.NoError(t, err)
	require.NotNil(t, measured, v.read(appliance.LogFile))
	assert.Equal(t, speed.Subject{Model: appliance.ModelID, Threads: 2}, measured.Of)
	assert.Positive(t, measured.BytesPerToken)

	sentence := measured.Sentence()
	assert.Contains(t, v.read(appliance.MOTDFile), sentence)
	assert.Contains(t, v.read(appliance.LogFile), "benchmark: "+sentence)
	assert.Contains(t, v.read(appliance.ReportFile), "\n[Speed]\nreads = ")
	_, stdout, _ := v.run("status")
	assert.Contains(t, stdout, "first turn:")
	require.Len(t, *reported, 3)
	assert.Contains(t, (*reported)[2], "SLM_COPILOT_WRITE_TOKENS_PER_SECOND=")
	assert.NotContains(t, (*reported)[2], "READY", "it was ready before")

	// The same again: nothing to measure, and OpenNebula is told what is known.
	code, _, stderr = v.run("bootstrap", "--timeout", "1m")
	require.Zero(t, code, stderr)
	require.Len(t, *reported, 5)
	assert.NotContains(t, (*reported)[4], "SLM_COPILOT_WRITE_TOKENS_PER_SECOND=0.00")
	code, _, stderr = v.run("benchmark", "--once")
	require.Zero(t, code, stderr)
	assert.Len(t, *reported, 5)

	// Of other threads the numbers say nothing; back again, they do.
	values[appliance.VarThreads] = "3"
	v.configure(values)
	assert.NotContains(t, v.read(appliance.StatusJSON), `"speed"`)
	values[appliance.VarThreads] = "2"
	v.configure(values)
	assert.Contains(t, v.read(appliance.StatusJSON), `"speed"`)

	code, _, stderr = v.run("bootstrap", "--timeout", "1m")
	require.Zero(t, code, stderr)
	code, stdout, stderr = v.run("benchmark")
	require.Zero(t, code, stderr)
	assert.Contains(t, stderr, "measuring: writing an edit\n")
	assert.Regexp(t, `(?m)^writes: +[0-9.]+ tokens/s$`, stdout)
}

func TestABenchmarkOfAModelInUse(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	v.put(appliance.StatusJSON, strings.Replace(v.read(appliance.StatusJSON), appliance.ConfigureSuccess, appliance.BootstrapSuccess, 1))
	v.serveGateway(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }))
	code, _, stderr := v.run("benchmark")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "the model is in use: nothing is measured while somebody waits for it. Try again later")
	assert.NoFileExists(t, filepath.Join(v.root, appliance.SpeedFile))
}

func TestADamagedResultOfABenchmark(t *testing.T) {
	v := newVM(t)
	v.put(appliance.SpeedFile, "{")
	v.configure(nil)
	_, stdout, _ := v.run("status")
	assert.Contains(t, stdout, "slm-copilot benchmark writes it again")
}
