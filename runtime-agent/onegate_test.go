package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

// oneGate records what is reported, in the order of the requests.
func oneGate(t *testing.T, status int) (endpoint string, reported *[]string) {
	reported = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		assert.Equal(t, "the-token", r.Header.Get("X-ONEGATE-TOKEN"))
		*reported = append(*reported, form.Get("data"))
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, reported
}

func TestReadinessIsReportedToOneGate(t *testing.T) {
	endpoint, reported := oneGate(t, http.StatusOK)
	v := newVM(t)
	v.put("/mnt/"+appliance.TokenFile, "the-token\n")
	values := map[string]string{
		appliance.VarPassword: "the-password", appliance.VarDomain: "copilot.example.org", appliance.VarCertificate: "", appliance.VarACMEDirectory: "https://127.0.0.1:1/dir",
		appliance.VarOneGateEndpoint: endpoint, appliance.VarVMID: "7",
	}
	v.configure(values)
	assert.Empty(t, *reported, "a successful configure reports nothing to OneGate")
	info, err := os.Stat(filepath.Join(v.root, vmcontext.LastToken))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	v.serve()
	code, _, stderr := v.run("bootstrap", "--timeout", "1m")
	require.Zero(t, code, stderr)
	ready := "ONEAPP_COPILOT_ENDPOINT=https://copilot.example.org/v1\nONEAPP_COPILOT_MODEL=devstral-small-2\nREADY=YES\n" +
		"SLM_COPILOT_EDIT_TOKENS_PER_SECOND=0.00\nSLM_COPILOT_FIRST_TURN_SECONDS=0.00\nSLM_COPILOT_MEMORY_SHARE=0.00\nSLM_COPILOT_READ_TOKENS_PER_SECOND=0.00\nSLM_COPILOT_WRITE_TOKENS_PER_SECOND=0.00"
	assert.Equal(t, []string{"READY=NO", ready}, *reported)
	assert.NotContains(t, v.read(appliance.LogFile)+v.read(appliance.ReportFile), "the-token")

	*reported = nil
	values[appliance.VarThreads] = "many"
	code, _, _ = v.run("configure", "--context", v.context(values))
	assert.Equal(t, 1, code)
	assert.Equal(t, []string{"READY=NO"}, *reported, "READY=YES would outlive a reboot")
}

// Seen with one-context 7.2.1: it reported READY=YES 36 s before the model answered, and also
// if the settings were refused.
func TestWarnsIfOneContextReportsReadyTooEarly(t *testing.T) {
	const warning = "one-context reports READY before the model is loaded"
	for name, tt := range map[string]struct {
		hook   bool
		values map[string]string
		want   bool
	}{
		"no condition":   {true, map[string]string{appliance.VarReportReady: "YES"}, true},
		"our script":     {true, map[string]string{appliance.VarReportReady: "YES", appliance.VarReadyScript: appliance.ReadyScript}, false},
		"another script": {true, map[string]string{appliance.VarReportReady: "YES", appliance.VarReadyScriptPath: "/root/ready"}, false},
		"not asked to":   {true, nil, false},
		"no one-context": {false, map[string]string{appliance.VarReportReady: "YES"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			if tt.hook {
				v.put(appliance.ReadyHook, "#!/bin/sh\n")
			}
			v.configure(tt.values)
			if tt.want {
				assert.Contains(t, v.read(appliance.LogFile), warning)
			} else {
				assert.NotContains(t, v.read(appliance.LogFile), warning)
			}
		})
	}
}

func TestARefusalByOneGateChangesNothing(t *testing.T) {
	endpoint, reported := oneGate(t, http.StatusInternalServerError)
	v := newVM(t)
	v.configure(map[string]string{
		appliance.VarOneGateEndpoint: endpoint, appliance.VarOneGateToken: "the-token", appliance.VarVMID: "7",
	})
	v.serve()
	code, _, stderr := v.run("bootstrap", "--timeout", "1m")
	require.Zero(t, code, stderr)
	assert.Len(t, *reported, 6, "three attempts for each of the two")
	assert.Contains(t, stderr, "report to OneGate at "+endpoint)
	assert.Equal(t, appliance.BootstrapSuccess+"\n", v.read(appliance.StatusFile))
}
