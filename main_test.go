package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asPlugin is an environment variable that makes the test binary act as the plugin.
const asPlugin = "PLUGIN_TEST_AS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// start runs the plugin the way a person or Packer does.
func start(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], args...)
	command.Env = append(os.Environ(), asPlugin+"=1")
	var out, errs strings.Builder
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); !errors.As(err, new(*exec.ExitError)) {
		require.NoError(t, err)
	}
	return command.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestAPersonIsToldWhatItIs(t *testing.T) {
	require.Equal(t, 3, strings.Count(help, "\n"))
	for name, tt := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"nothing": {nil, 2, "", help},
		"--help":  {[]string{"--help"}, 0, help, ""},
		"-h":      {[]string{"-h"}, 0, help, ""},
		"unknown": {[]string{"build"}, 2, "", "packer-plugin-slm-copilot: there is no command \"build\"\nsee packer-plugin-slm-copilot --help\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := start(t, tt.args...)
			assert.Equal(t, tt.code, code)
			assert.Equal(t, tt.stdout, stdout)
			assert.Equal(t, tt.stderr, stderr)
		})
	}
}

func TestPackerIsAnsweredAsBefore(t *testing.T) {
	for _, args := range [][]string{{"describe"}, {"--protobuf", "describe"}} {
		code, stdout, stderr := start(t, args...)
		require.Zero(t, code, stderr)
		var described struct {
			PostProcessors []string `json:"post_processors"`
		}
		require.NoError(t, json.Unmarshal([]byte(stdout), &described))
		assert.Equal(t, []string{"marketplace", "verify"}, described.PostProcessors)
	}
	code, _, stderr := start(t, "start", "builder")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "start takes two arguments")
}
