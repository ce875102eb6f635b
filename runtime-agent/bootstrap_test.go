package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

func TestBootstrapSaysReadyAfterATokenCameThrough(t *testing.T) {
	v := newVM(t)
	v.configure(map[string]string{
		appliance.VarPassword: "the-password", appliance.VarKeys: "alice:tractor-lemon-37", appliance.VarDomain: "copilot.example.org",
		appliance.VarACMEDirectory: "https://127.0.0.1:1/dir", // no test connects to Let's Encrypt
	})
	code, stdout, _ := v.run("status")
	assert.Equal(t, 1, code)
	assert.Contains(t, stdout, appliance.ConfigureSuccess)

	stop := v.serve()
	code, _, stderr := v.run("bootstrap", "--timeout", "1m")
	require.Zero(t, code, stderr)
	assert.Equal(t, appliance.BootstrapSuccess+"\n", v.read(appliance.StatusFile))
	assert.Contains(t, v.read(appliance.MOTDFile), appliance.ReadyPhrase)
	report := v.read(appliance.ReportFile)
	assert.Contains(t, report, "endpoint = https://copilot.example.org/v1\nusername = copilot\npassword = the-password\nkeys = alice\n")
	assert.Contains(t, report, "status = "+appliance.BootstrapSuccess)

	code, stdout, _ = v.run("status")
	assert.Zero(t, code)
	assert.Contains(t, stdout, appliance.BootstrapSuccess)
	code, stdout, _ = v.run("report")
	assert.Zero(t, code)
	assert.Equal(t, report, stdout)

	log := v.read(appliance.LogFile)
	requested, announced := strings.Index(log, "certificate: requesting"), strings.Index(log, "bootstrap: ready")
	require.Positive(t, requested, "a certificate is requested")
	assert.Less(t, requested, announced, "a client that sees it ready gets the certificate that stays")

	assertNoSecretIsReadable(t, v, "the-password", "tractor-lemon-37", strings.TrimSpace(v.read(appliance.EngineKeyFile)))

	// What is asked for now is answered from now.
	stop()
	code, _, stderr = v.run("status")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "not ready: it was, and does not answer now: ")
	code, stdout, _ = v.run("report")
	assert.Zero(t, code)
	assert.Contains(t, stdout, "\nnow = does not answer: ")
	assert.Equal(t, report, v.read(appliance.ReportFile))
}

// The password is asked for when things are bad, too.
func TestTheReportIsShownWhereItCannotBeStored(t *testing.T) {
	v := newVM(t)
	v.configure(map[string]string{appliance.VarPassword: "the-password"})
	// A directory in its place cannot be replaced, like a file on a read-only root.
	require.NoError(t, os.RemoveAll(filepath.Join(v.root, appliance.ReportFile)))
	v.put(appliance.ReportFile+"/x", "")
	code, stdout, stderr := v.run("report")
	assert.Zero(t, code)
	assert.Contains(t, stdout, "password = the-password\n")
	assert.Contains(t, stderr, "the file of the report is not up to date: ")
}

// assertNoSecretIsReadable looks into every file others may read, and into the log.
func assertNoSecretIsReadable(t *testing.T, v *vm, secrets ...string) {
	t.Helper()
	looked := 0
	check := func(path, content string) {
		looked++
		for _, secret := range secrets {
			assert.NotContains(t, content, secret, path)
		}
	}
	for path, file := range v.snapshot() {
		if file.mode.IsRegular() && file.mode&0o007 != 0 && !strings.HasPrefix(path, "/mnt/") {
			check(path, file.content)
		}
	}
	check(appliance.LogFile, v.read(appliance.LogFile))
	assert.Greater(t, looked, 6)
}

func TestBootstrapGivesUp(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	stop := v.serve()
	stop()
	code, _, stderr := v.run("bootstrap", "--timeout", "3s")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "connection refused")
	assert.Equal(t, appliance.BootstrapFailure+"\n", v.read(appliance.StatusFile))
	assert.NoFileExists(t, filepath.Join(v.root, appliance.ReportFile))
	code, stdout, _ := v.run("status")
	assert.Equal(t, 1, code)
	assert.Contains(t, stdout, "connection refused")

	v.serve()
	code, _, stderr = v.run("bootstrap", "--timeout", "1m")
	require.Zero(t, code, stderr)
	_, stdout, _ = v.run("status")
	assert.NotContains(t, stdout, "connection refused", "an error of the past is not shown")
}

// The service may well run with the last good configuration; the status must still say
// that the user's settings were refused.
func TestBootstrapDoesNotHideARefusedContext(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	v.serve()
	code, _, _ := v.run("configure", "--context", v.context(map[string]string{appliance.VarThreads: "many"}))
	require.Equal(t, 1, code)
	code, _, stderr := v.run("bootstrap", "--timeout", "1s")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "the context is not applied")
	assert.Equal(t, appliance.ConfigureFailure+"\n", v.read(appliance.StatusFile))
}

// A configure that ran in between has restarted bootstrap.
func TestAnAnswerWithAnotherConfigurationDoesNotCount(t *testing.T) {
	for _, stage := range []string{appliance.ConfigureStarted, appliance.ConfigureSuccess, appliance.ConfigureFailure} {
		t.Run(stage, func(t *testing.T) {
			s := state{status.Store{Root: t.TempDir(), Now: time.Now}}
			require.NoError(t, s.Save(status.Status{Stage: stage}))
			_, err := succeed(t.Context(), s)
			assert.ErrorContains(t, err, "the configuration changed meanwhile")
			present, err := s.Load()
			require.NoError(t, err)
			assert.Equal(t, stage, present.Stage)
			assert.NoFileExists(t, filepath.Join(s.Root, appliance.ReportFile))
		})
	}
}

func TestNotReadyWithoutAReport(t *testing.T) {
	s := state{status.Store{Root: t.TempDir(), Now: time.Now}}
	require.NoError(t, s.Save(status.Status{Stage: appliance.BootstrapStarted}))
	require.NoError(t, os.MkdirAll(filepath.Join(s.Root, appliance.ReportFile), 0o755))
	_, err := succeed(t.Context(), s)
	require.Error(t, err)
	present, err := s.Load()
	require.NoError(t, err)
	assert.Equal(t, appliance.BootstrapStarted, present.Stage)
}

func TestAnInterruptedBootstrapIsNotAFailure(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	stop := v.serve()
	stop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, _, _ := v.runWithin(ctx, "bootstrap")
	assert.Equal(t, 1, code)
	assert.Equal(t, appliance.BootstrapStarted+"\n", v.read(appliance.StatusFile))
}

func TestSmokeTest(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	stop := v.serve()
	code, stdout, stderr := v.run("smoke-test")
	require.Zero(t, code, stderr)
	assert.Regexp(t, `^\d+ tokens in .*, the first after .*: ".+"\n$`, stdout)
	assert.Equal(t, appliance.ConfigureSuccess+"\n", v.read(appliance.StatusFile), "it does not change the status")
	stop()
	code, _, stderr = v.run("smoke-test", "--timeout", "3s")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "connection refused")
}

func TestCommandLine(t *testing.T) {
	v := newVM(t)
	tests := map[string]struct {
		args   []string
		code   int
		output string
	}{
		"version":         {[]string{"version"}, 0, appliance.Version + "\n"},
		"help":            {[]string{"--help"}, 0, "Usage: slm-copilot"},
		"help of one":     {[]string{"configure", "-h"}, 0, "Usage: slm-copilot"},
		"no command":      {nil, 2, "name a command"},
		"no such command": {[]string{"frobnicate"}, 2, `there is no command "frobnicate"`},
		"no such flag":    {[]string{"configure", "--force"}, 2, "flag provided but not defined: -force"},
		"an argument":     {[]string{"status", "now"}, 2, `status takes no argument "now"`},
		"a bad time":      {[]string{"bootstrap", "--timeout", "soon"}, 2, "invalid value"},
		"no status yet":   {[]string{"status"}, 1, "never configured"},
		"no report yet":   {[]string{"report"}, 1, "never configured"},
		"a global flag":   {[]string{"--verbose", "status"}, 2, "flag provided but not defined: -verbose"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := v.run(tt.args...)
			assert.Equal(t, tt.code, code)
			assert.Contains(t, stdout+stderr, tt.output)
			if tt.code == 2 {
				assert.Regexp(t, `^slm-copilot: .+\nsee slm-copilot -h\n$`, stderr, "the mistake is not followed by the usage")
			}
		})
	}
	entries, err := os.ReadDir(v.root)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "/opt and /usr are the image; none of them leaves a trace")
}
