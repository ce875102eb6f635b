package apply

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
)

// recorder stands in for systemd and records its calls.
type recorder struct {
	calls []string
	fail  string
}

func (r *recorder) call(name string) error {
	r.calls = append(r.calls, name)
	if name == r.fail {
		return errors.New(name + " failed")
	}
	return nil
}

func (r *recorder) Reload(context.Context) error                 { return r.call("reload") }
func (r *recorder) Restart(_ context.Context, unit string) error { return r.call("restart " + unit) }
func (r *recorder) TryRestart(_ context.Context, unit string) error {
	return r.call("restart " + unit)
}
func (r *recorder) TryReload(_ context.Context, unit string) error { return r.call("reload " + unit) }

type machine struct {
	Target
	units   *recorder
	refusal error
	starts  int
}

func newMachine(t *testing.T) *machine {
	m := &machine{units: &recorder{}}
	m.Target = Target{
		Root:       t.TempDir(),
		Units:      m.units,
		CheckProxy: func(context.Context) error { return m.refusal },
		Starting:   func() error { m.starts++; return nil },
	}
	return m
}

func (m *machine) apply(t *testing.T, p plan.Plan) (bool, []string, error) {
	t.Helper()
	m.units.calls = nil
	outcome, err := m.Apply(t.Context(), p)
	return outcome.Changed, m.units.calls, err
}

func (m *machine) read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(m.Root, path))
	require.NoError(t, err)
	return string(content)
}

// files lists every file and link below the root with its content.
func (m *machine) files(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(m.Root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(m.Root, path)
		if target, err := os.Readlink(path); err == nil {
			found["/"+name] = "-> " + target
			return nil
		}
		found["/"+name] = m.read(t, name)
		return nil
	}))
	return found
}

func wanted(site, env string) plan.Plan {
	return plan.Plan{
		Directories: []plan.Directory{{Path: appliance.StateDir, Mode: 0o755, Owner: "root"}, {Path: "/open", Mode: 0o750, Owner: "root"}},
		Proxy: []plan.Entry{
			{Path: "/site", Mode: 0o640, Content: []byte(site), Units: []string{appliance.NginxUnit, appliance.BootstrapUnit}},
			{Path: "/enabled", LinkTo: "/" + site, Units: []string{appliance.NginxUnit, appliance.BootstrapUnit}},
		},
		Rest: []plan.Entry{
			{Path: "/env", Mode: 0o600, Content: []byte(env), Units: []string{appliance.LocalAIUnit, appliance.BootstrapUnit}},
			{Path: "/password", Mode: 0o600, Content: []byte("secret")},
		},
	}
}

// withGateway is a plan with a configuration of the gateway.
func withGateway(env, gateway string) plan.Plan {
	p := wanted("a", env)
	p.Rest = append(p.Rest, plan.Entry{Path: "/gateway", Mode: 0o644, Content: []byte(gateway), Units: []string{appliance.GatewayUnit, appliance.BootstrapUnit}})
	return p
}

// Answers are only cut if the engine, which computes them, restarts anyway. The gateway has read its
// key then, which may be another.
func TestTheGatewayReloadsUnlessTheEngineRestarts(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.apply(t, withGateway("a", "a"))
	require.NoError(t, err)
	bootstrap := "restart " + appliance.BootstrapUnit
	engine := []string{"reload", "restart " + appliance.LocalAIUnit, "restart " + appliance.GatewayUnit, bootstrap}
	for _, step := range []struct {
		name  string
		plan  plan.Plan
		calls []string
	}{
		{"gateway", withGateway("a", "b"), []string{"reload " + appliance.GatewayUnit, bootstrap}},
		{"engine", withGateway("b", "b"), engine},
		{"both", withGateway("c", "c"), engine},
		{"nothing", withGateway("c", "c"), nil},
	} {
		_, calls, err := m.apply(t, step.plan)
		require.NoError(t, err, step.name)
		assert.Equal(t, step.calls, calls, step.name)
	}
}

// What failed is done by the next run, even if it changes nothing.
func TestAGatewayThatDidNotReloadIsToldAgain(t *testing.T) {
	for _, failing := range []string{"reload " + appliance.GatewayUnit, "restart " + appliance.GatewayUnit} {
		m := newMachine(t)
		_, _, err := m.apply(t, withGateway("a", "a"))
		require.NoError(t, err)
		next := withGateway("a", "b")
		if strings.HasPrefix(failing, "restart") {
			next = withGateway("b", "a")
		}
		m.units.fail = failing
		_, _, err = m.apply(t, next)
		require.Error(t, err)
		m.units.fail = ""
		_, calls, err := m.apply(t, next)
		require.NoError(t, err)
		assert.Contains(t, calls, failing)
	}
}

func TestOnlyWhatChangedIsTouched(t *testing.T) {
	m := newMachine(t)
	bootstrap := "restart " + appliance.BootstrapUnit
	engine := []string{"reload", "restart " + appliance.LocalAIUnit, "restart " + appliance.GatewayUnit}
	nginx := "reload " + appliance.NginxUnit
	steps := []struct {
		name    string
		plan    plan.Plan
		changed bool
		calls   []string
	}{
		{"first", wanted("a", "a"), true, append(engine, nginx, bootstrap)},
		{"again", wanted("a", "a"), false, nil},
		{"site", wanted("b", "a"), true, []string{nginx, bootstrap}},
		{"environment", wanted("b", "b"), true, append(engine, bootstrap)},
		{"again", wanted("b", "b"), false, nil},
	}
	for _, step := range steps {
		before := m.starts
		changed, calls, err := m.apply(t, step.plan)
		require.NoError(t, err, step.name)
		assert.Equal(t, step.changed, changed, step.name)
		assert.Equal(t, step.calls, calls, step.name)
		assert.Equal(t, step.changed, m.starts > before, step.name)
	}
	assert.Equal(t, map[string]string{"/site": "b", "/enabled": "-> /b", "/env": "b", "/password": "secret"}, m.files(t))
	info, err := os.Stat(filepath.Join(m.Root, "open"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o750), info.Mode().Perm())
}

// Changes by others and the caller's umask are corrected.
func TestModesOfDirectoriesAreRepaired(t *testing.T) {
	old := syscall.Umask(0o077)
	t.Cleanup(func() { syscall.Umask(old) })
	m := newMachine(t)
	modes := func() []fs.FileMode {
		var found []fs.FileMode
		for _, path := range []string{appliance.StateDir, "/open"} {
			info, err := os.Stat(filepath.Join(m.Root, path))
			require.NoError(t, err)
			found = append(found, info.Mode().Perm())
		}
		return found
	}
	_, _, err := m.apply(t, wanted("a", "a"))
	require.NoError(t, err)
	assert.Equal(t, []fs.FileMode{0o755, 0o750}, modes())
	require.NoError(t, os.Chmod(filepath.Join(m.Root, "/open"), 0o777))
	_, _, err = m.apply(t, wanted("b", "a"))
	require.NoError(t, err)
	assert.Equal(t, []fs.FileMode{0o755, 0o750}, modes())
}

// A service that was broken into must not be given a directory of the system.
func TestALinkOfAServiceIsNotFollowed(t *testing.T) {
	m := newMachine(t)
	system := filepath.Join(m.Root, "system")
	require.NoError(t, os.Mkdir(system, 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(m.Root, "state"), 0o755))
	require.NoError(t, os.Symlink(system, filepath.Join(m.Root, "state/tmp")))
	require.NoError(t, os.Symlink(system, filepath.Join(m.Root, "moved")))
	_, _, err := m.apply(t, plan.Plan{
		Directories: []plan.Directory{{Path: appliance.StateDir, Mode: 0o755, Owner: "root"}, {Path: "/state", Mode: 0o750, Owner: "localai"}, {Path: "/state/tmp", Mode: 0o700, Owner: "localai"}, {Path: "/moved", Mode: 0o711, Owner: "root"}},
		Rest:        []plan.Entry{{Path: "/a", Mode: 0o600}},
	})
	require.NoError(t, err)
	info, err := os.Lstat(filepath.Join(m.Root, "state/tmp"))
	require.NoError(t, err)
	assert.Equal(t, fs.ModeDir|0o700, info.Mode(), "the link is gone")
	info, err = os.Stat(system)
	require.NoError(t, err)
	assert.Equal(t, fs.ModeDir|0o711, info.Mode(), "a link of the administrator is followed, that of the service is not")
}

func TestFilesNginxRefusesAreRolledBack(t *testing.T) {
	for name, first := range map[string]bool{"nothing was there": false, "an old site was there": true} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			if first {
				_, _, err := m.apply(t, wanted("old", "old"))
				require.NoError(t, err)
			}
			before := m.files(t)
			m.refusal = errors.New("nginx refuses")
			_, calls, err := m.apply(t, wanted("new", "new"))
			assert.ErrorContains(t, err, "nginx refuses")
			assert.Empty(t, calls)
			assert.Equal(t, before, m.files(t), "everything is as before, also what nginx never saw")
		})
	}
}

// A run that dies between the files and the units leaves no difference in the files, and yet
// the next run must reload or restart the units.
func TestTheNextRunCompletesAKilledOne(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.apply(t, wanted("a", "a"))
	require.NoError(t, err)
	m.units.fail = "reload " + appliance.NginxUnit
	_, _, err = m.apply(t, wanted("b", "a"))
	require.ErrorContains(t, err, "failed")

	m.units.fail = ""
	changed, calls, err := m.apply(t, wanted("b", "a"))
	require.NoError(t, err)
	assert.True(t, changed)
	assert.Equal(t, []string{"reload " + appliance.NginxUnit, "restart " + appliance.BootstrapUnit}, calls)
	changed, _, err = m.apply(t, wanted("b", "a"))
	require.NoError(t, err)
	assert.False(t, changed)
}

// The certificate run does not know what a killed configure was about.
func TestWhatAKilledRunLeftCanBeLeft(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.apply(t, wanted("a", "a"))
	require.NoError(t, err)
	m.units.fail = "reload nginx.service"
	_, _, err = m.apply(t, wanted("b", "a"))
	require.Error(t, err)
	left := m.read(t, pendingFile)
	m.units.fail, m.LeavePending = "", true

	_, calls, err := m.apply(t, wanted("b", "a"))
	require.NoError(t, err)
	assert.Empty(t, calls)
	_, calls, err = m.apply(t, plan.Plan{Directories: wanted("b", "a").Directories, Rest: []plan.Entry{{Path: "/other", Mode: 0o600, Units: []string{"other.service"}}}})
	require.NoError(t, err)
	assert.Empty(t, calls, "not one of the four units that are told")
	assert.Equal(t, left, m.read(t, pendingFile))

	m.LeavePending = false
	_, calls, err = m.apply(t, wanted("b", "a"))
	require.NoError(t, err)
	assert.NotEmpty(t, calls)
	assert.NoFileExists(t, filepath.Join(m.Root, pendingFile))
}

func TestAFileOfTheWrongTypeIsReported(t *testing.T) {
	m := newMachine(t)
	require.NoError(t, os.MkdirAll(filepath.Join(m.Root, "site"), 0o755))
	_, calls, err := m.apply(t, wanted("a", "a"))
	assert.ErrorContains(t, err, "is not a regular file")
	assert.Empty(t, calls)
	assert.Empty(t, m.files(t))
}

// A limit on the size of files takes the place of a full disk.
func TestAFullDiskChangesNothing(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.apply(t, wanted("a", "a"))
	require.NoError(t, err)
	before := m.files(t)

	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 16, Max: limit.Max}))
	_, calls, err := m.apply(t, wanted("b", strings.Repeat("b", 1<<17)))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))

	assert.ErrorIs(t, err, syscall.EFBIG)
	assert.Empty(t, calls)
	assert.Equal(t, before, m.files(t), "not even the site, which would have had room")
}

func TestLeftoversOfKilledRunsAreRemoved(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.apply(t, wanted("a", "a"))
	require.NoError(t, err)
	for _, left := range []string{".site.new-123", ".enabled.new-link", ".env.new-9", appliance.StateDir + "/.pending.new-1"} {
		require.NoError(t, os.WriteFile(filepath.Join(m.Root, left), []byte("secret"), 0o600))
	}
	_, calls, err := m.apply(t, wanted("a", "a"))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"/site": "a", "/enabled": "-> /a", "/env": "a", "/password": "secret"}, m.files(t))
	assert.Empty(t, calls, "nothing else was to be done")
}

// A certificate is replaced without checking the model again.
func TestBootstrapRestartsOnlyForWhatItChecks(t *testing.T) {
	m := newMachine(t)
	certificate := func(content string) plan.Plan {
		p := wanted("a", "a")
		p.Proxy = append(p.Proxy, plan.Entry{Path: "/leaf", Mode: 0o600, Content: []byte(content), Units: []string{appliance.NginxUnit}})
		return p
	}
	_, _, err := m.apply(t, certificate("one"))
	require.NoError(t, err)
	assert.Equal(t, 1, m.starts)
	outcome, err := m.Apply(t.Context(), certificate("two"))
	require.NoError(t, err)
	assert.Equal(t, Outcome{Changed: true}, outcome)
	assert.Equal(t, 1, m.starts)
	assert.Equal(t, "reload "+appliance.NginxUnit, m.units.calls[len(m.units.calls)-1])
}
