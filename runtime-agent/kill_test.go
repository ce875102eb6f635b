package main

import (
	"crypto/tls"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/onecontext"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
)

// buildAgent builds the agent and returns its path, for tests that run it as a process.
func buildAgent(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "slm-copilot")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as in an image
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// Whenever configure is killed, each file is the old one or the new one, and the next run
// brings the machine into the same state as if nothing had happened.
func TestConfigureKilledAtAnyMoment(t *testing.T) {
	// A run that ends before it is killed proves nothing, so kills are counted, not runs.
	const kills, runs = 100, 1000
	agent := buildAgent(t)
	v := newVMWithTwo(t)
	contexts := []string{
		v.contextFile("a", map[string]string{appliance.VarPassword: "the-password-a", appliance.VarKeys: "alice:a-key-password-a", appliance.VarThreads: "1", appliance.VarDomain: "a.example.org"}),
		v.contextFile("b", map[string]string{appliance.VarPassword: "the-password-b", appliance.VarKeys: "alice:a-key-password-b, bob:another-password-b", appliance.VarThreads: "2", appliance.VarDomain: "b.example.org", appliance.VarModel: "small"}),
	}
	configure := func(file string) *exec.Cmd {
		return exec.Command(agent, "--root", v.root, "configure", "--context", file)
	}
	// complete is how long a whole run takes at the moment: other tests may run in parallel.
	complete := func(file string) time.Duration {
		started := time.Now()
		out, err := configure(file).CombinedOutput()
		require.NoError(t, err, string(out))
		return time.Since(started)
	}
	var clean [2]map[string]stamp
	var whole time.Duration
	for i, file := range contexts {
		whole = complete(file)
		clean[i] = v.withoutKeys()
	}

	died := 0
	for i := 0; i < runs && died < kills; i++ {
		next := i % 2
		run := configure(contexts[next])
		require.NoError(t, run.Start())
		// No condition can be waited for: any moment will do, which is the point.
		time.Sleep(rand.N(whole))
		_ = run.Process.Kill()
		if run.Wait() != nil {
			died++
		}
		v.assertWhole()
		if i%3 == 0 {
			// The timer of the certificates does not wait for the next configure.
			out, err := exec.Command(agent, "--root", v.root, "certificate", "--deployed").CombinedOutput()
			require.NoError(t, err, string(out))
			v.assertWhole()
		}
		whole = complete(contexts[next])
		require.Empty(t, differing(clean[next], v.withoutKeys()), "kill %d", i)
	}
	assert.Equal(t, kills, died, "of %d runs, this many were killed before their end", runs)
}

// contextFile writes a context outside the machine.
func (v *vm) contextFile(name string, values map[string]string) string {
	v.t.Helper()
	path := filepath.Join(v.t.TempDir(), name)
	require.NoError(v.t, os.WriteFile(path, onecontext.Format(values), 0o600))
	return path
}

// differing names the files that are not the same in both.
func differing(before, after map[string]stamp) []string {
	var paths []string
	for path, s := range after {
		if before[path] != s {
			paths = append(paths, path)
		}
	}
	for path := range before {
		if _, there := after[path]; !there {
			paths = append(paths, path)
		}
	}
	return paths
}

// withoutKeys is every file, without what is random in each run.
func (v *vm) withoutKeys() map[string]stamp {
	v.t.Helper()
	found := v.snapshot()
	for path, s := range found {
		s.inode = 0
		if path == plan.LeafFile || path == appliance.StatusJSON {
			assert.NotEmpty(v.t, s.content, path)
			s.content = ""
		}
		found[path] = s
	}
	return found
}

// assertWhole checks a machine whose configure was killed.
func (v *vm) assertWhole() {
	v.t.Helper()
	for path, s := range v.snapshot() {
		if s.mode.IsRegular() && s.mode.Perm()&0o044 != 0 {
			assert.NotContains(v.t, s.content, "password-", path)
			assert.NotContains(v.t, s.content, "PRIVATE KEY", path)
		}
	}
	leaf := []byte(v.read(plan.LeafFile))
	_, err := tls.X509KeyPair(leaf, leaf)
	assert.NoError(v.t, err)
	site := v.read(appliance.NginxSite)
	assert.True(v.t, strings.HasSuffix(site, "}\n"), "the site is complete")
	info, err := os.Stat(filepath.Join(v.root, appliance.PasswordFile))
	require.NoError(v.t, err)
	assert.Equal(v.t, fs.FileMode(0o600), info.Mode())
}
