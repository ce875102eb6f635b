package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// checkout changes to an empty directory for the duration of the test.
func checkout(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
}

func writeFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), mode))
}

func TestWhichPackerIsUsable(t *testing.T) {
	for version, want := range map[string]bool{
		"Packer v1.10.3":  false,
		"Packer v1.11.0":  true,
		"Packer v1.15.4":  true,
		"Packer v0.12.0":  false,
		"cracklib-packer": false,
		"Packer v1.14.2\n\nYour version of Packer is out of date!": true,
	} {
		path := filepath.Join(t.TempDir(), "packer")
		writeFile(t, path, "#!/bin/sh\nprintf '%s\\n' '"+version+"'\n", 0o755)
		assert.Equal(t, want, usable(t.Context(), path), version)
	}
	assert.False(t, usable(t.Context(), filepath.Join(t.TempDir(), "none")))
}

func TestThePackerOfTheMachineIsLinked(t *testing.T) {
	checkout(t)
	writeFile(t, "bin/packer", "#!/bin/sh\necho Packer v1.16.0\n", 0o755)
	directory, err := filepath.Abs("bin")
	require.NoError(t, err)
	t.Setenv("PATH", directory+":"+os.Getenv("PATH"))
	s := &setup{cache: t.TempDir()}
	for range 2 {
		require.NoError(t, s.packer(t.Context()))
		target, err := os.Readlink(packerLink)
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(directory, "packer"), target)
		// The second time, the link from the first time is found.
		tools, err := filepath.Abs(".tools/bin")
		require.NoError(t, err)
		t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	}
}

// A Packer compiled for an earlier checkout may not be the version required now.
func TestAPackerOfOursIsNotTheMachines(t *testing.T) {
	s := &setup{cache: t.TempDir()}
	compiled := filepath.Join(s.cache, "packer-0123456789ab", "packer")
	writeFile(t, compiled, "", 0o755)
	checkout(t)
	require.NoError(t, link(compiled, packerLink))
	assert.True(t, s.isOurs(packerLink))
	assert.False(t, s.isOurs("/bin/sh"))
	assert.False(t, s.isOurs("none"))
}

func TestTwoSetupsOfOneUserWaitForEachOther(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "said"))
	require.NoError(t, err)
	defer out.Close()
	jobs, end := progress.StartJobs(out)
	s := &setup{jobs: jobs, cache: t.TempDir()}
	release, err := s.lock(t.Context())
	require.NoError(t, err)
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.lock(impatient)
	require.ErrorIs(t, err, context.Canceled)
	release()
	again, err := s.lock(t.Context())
	require.NoError(t, err)
	again()
	end()
	said, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	assert.Contains(t, string(said), "another make of this user: ended")
}

func TestOnlyWhatTheDemoBakesIsCompiledAtFirst(t *testing.T) {
	checkout(t)
	assert.Equal(t, []string{"amd64"}, agentsOfTheDemo())
	writeFile(t, agentPath("arm64"), "", 0o755)
	assert.Equal(t, []string{"amd64", "arm64"}, agentsOfTheDemo(), "the plugin carries it, so it must not grow old")
}

func TestCompilingCountsPackages(t *testing.T) {
	var said []string
	meter := &buildMeter{far: func(text string) { said = append(said, text) }}
	meter.line("go: downloading golang.org/x/sys v0.39.0")
	meter.line("internal/goarch")
	meter.total = 2
	for _, line := range []string{"internal/goarch", "# a remark of the linker", "runtime"} {
		meter.line(line)
	}
	assert.Equal(t, []string{"1 modules downloaded", "1 of 2 packages compiled", "2 of 2 packages compiled"}, said)
}

// Compiles a small module with the real Go.
func TestCompile(t *testing.T) {
	checkout(t)
	writeFile(t, "go.mod", "module example.org/sample\n", 0o644)
	writeFile(t, "main.go", "package main\n\nfunc main() {}\n", 0o644)
	out, err := os.Create("said")
	require.NoError(t, err)
	defer out.Close()
	jobs, end := progress.StartJobs(out)
	defer end()
	s := &setup{jobs: jobs}
	require.NoError(t, s.compile(t.Context(), "sample", program{source: ".", output: "bin/sample", strip: true}))
	require.NoError(t, exec.CommandContext(t.Context(), "bin/sample").Run())

	writeFile(t, "main.go", "package main\n\nfunc main() { missing() }\n", 0o644)
	err = s.compile(t.Context(), "sample", program{source: ".", output: "bin/sample"})
	assert.ErrorContains(t, err, "undefined: missing")
	require.NoError(t, exec.CommandContext(t.Context(), "bin/sample").Run(), "the one that was there stays")
	assert.NoFileExists(t, "bin/sample.new")
	said, err := os.ReadFile("said")
	require.NoError(t, err)
	assert.Contains(t, string(said), "sample: compiled")
	assert.Contains(t, string(said), "sample: failed")
}

// Packer may be running the plugin that is replaced. A plugin that is up to date is not
// touched.
func TestThePluginIsInstalledBesideARunningOne(t *testing.T) {
	checkout(t)
	const target = pluginDirectory + "/packer-plugin-slm-copilot_v0.1.0_x5.0_linux_amd64"
	describe := `#!/bin/sh
[ "$1" = describe ] && echo '{"version":"0.1.0","api_version":"x5.0"}' || exec sleep 60
`
	writeFile(t, pluginBinary, describe, 0o755)
	name, err := pluginName(t.Context())
	require.NoError(t, err)
	require.Equal(t, filepath.Base(target), name)

	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	program, err := os.ReadFile(sleep)
	require.NoError(t, err)
	writeFile(t, target, string(program), 0o755)
	running := exec.CommandContext(t.Context(), target, "60")
	require.NoError(t, running.Start())
	defer func() { _ = running.Process.Kill(); _ = running.Wait() }()

	require.NoError(t, installPlugin(t.Context()))
	first, err := os.Stat(target)
	require.NoError(t, err)
	require.NoError(t, installPlugin(t.Context()))
	second, err := os.Stat(target)
	require.NoError(t, err)
	assert.True(t, os.SameFile(first, second), "nothing differs, so nothing is written")
	sum, err := os.ReadFile(target + "_SHA256SUM")
	require.NoError(t, err)
	assert.Len(t, string(sum), 64)
}

func TestTheFirstFailureEndsTheOtherLane(t *testing.T) {
	broken := errors.New("no space left")
	limit, end := context.WithTimeout(t.Context(), 20*time.Second)
	defer end()
	err := together(limit, []func(context.Context) error{
		func(context.Context) error { return broken },
		func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	})
	assert.Equal(t, broken, err)

	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	err = together(interrupted, []func(context.Context) error{func(ctx context.Context) error { return ctx.Err() }})
	assert.ErrorContains(t, err, "make goes on from here")
}

func TestWhatAFailedCommandSaidLastIsTheReason(t *testing.T) {
	script := exec.CommandContext(t.Context(), "sh", "-c", "for i in $(seq 30); do echo line $i >&2; done; exit 3")
	var heard []string
	err := follow(script, func(line string) { heard = append(heard, line) })
	assert.Len(t, heard, 30)
	assert.ErrorContains(t, err, "exit status 3\nline 11\n")
	assert.True(t, strings.HasSuffix(err.Error(), "line 30"))
}

func TestOneCacheForAllCheckouts(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "cache")
	t.Setenv("XDG_CACHE_HOME", directory)
	t.Setenv("SLM_COPILOT_CACHE", "")
	found, err := cacheDirectory()
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(directory, "slm-copilot"), found)
	assert.DirExists(t, found)
	t.Setenv("SLM_COPILOT_CACHE", filepath.Join(directory, "other"))
	found, err = cacheDirectory()
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(directory, "other"), found)
}
