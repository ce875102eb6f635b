package watch

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/localai"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/systemd"
)

const (
	// waitLimit is long, so that only a hang reaches it, even on a busy machine.
	waitLimit = 90 * time.Second
	tick      = 5 * time.Millisecond
	pause     = 20 * time.Millisecond
)

// units takes the place of systemd for one running engine.
type units struct {
	mu      sync.Mutex
	process *localaitest.Process
	// ending says that the unit is being stopped.
	ending bool
	// restart is what TryRestart does; nil makes it fail.
	restart  func()
	restarts int
}

func (u *units) State(context.Context, string) (systemd.State, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.process.Running() {
		return systemd.State{}, nil
	}
	return systemd.State{Active: !u.ending, MainPID: u.process.PID()}, nil
}

func (u *units) TryRestart(_ context.Context, unit string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if unit != appliance.LocalAIUnit {
		return errors.New("not the engine's unit: " + unit)
	}
	u.restarts++
	if u.restart == nil {
		return errors.New("systemctl says no")
	}
	u.restart()
	return nil
}

func (u *units) restarted() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.restarts
}

// text collects a log.
type text struct {
	mu  sync.Mutex
	all strings.Builder
}

func (s *text) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *text) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// scene is a running engine with a watch.
type scene struct {
	*Watcher
	process *localaitest.Process
	units   *units
	log     *text
	stop    func()
	// heldOff counts the calls to LocalAI that were made while nginx answered 503.
	heldOff atomic.Int32
	// starts counts the engines that it has seen.
	starts atomic.Int32
}

const key = "0123456789abcdef"

var config = localai.Config{ModelID: "tiny", ContextSize: 2048, Threads: 2, APIKey: key, Sampling: appliance.NeutralSampling()}

func newScene(t *testing.T, installation localaitest.Installation) *scene {
	t.Helper()
	process := installation.Start(t, localaitest.Rendered{Environment: config.Environment(), ModelFile: config.ModelFile()})
	process.WaitUntilServing(t)
	s := &scene{process: process, units: &units{process: process}, log: &text{}}
	log := logfile.Open(filepath.Join(t.TempDir(), "log"), s.log, time.Now)
	s.Watcher = &Watcher{
		Units:         s.units,
		Engine:        Engine{URL: process.URL, Model: model("tiny"), Key: s.key},
		ReloadingFile: filepath.Join(t.TempDir(), "run", "reloading"),
		Pause:         pause,
		Log:           log,
		Trouble:       func(error) {},
	}
	s.Started = func() { s.starts.Add(1) }
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("watch: %s", s.log)
		}
		_ = log.Close()
	})
	return s
}

// key is asked for at each call to LocalAI.
func (s *scene) key() (string, error) {
	if s.closed() {
		s.heldOff.Add(1)
	}
	return key, nil
}

// says waits until the log of the watch contains the text n times.
func (s *scene) says(t *testing.T, n int, what string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Count(s.log.String(), what) >= n }, waitLimit, tick)
}

// watch runs the watch until stop is called or the test ends.
func (s *scene) watch(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		s.Run(ctx)
		close(done)
	}()
	s.stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(s.stop)
}

func (s *scene) closed() bool {
	_, err := os.Stat(s.ReloadingFile)
	return err == nil
}

func (s *scene) answers(t *testing.T) bool { return s.Engine.ask(t.Context(), "tiny") == nil }

func (s *scene) backend(t *testing.T) int {
	t.Helper()
	pids := s.process.Backends()
	require.Len(t, pids, 1)
	return pids[0]
}

func (s *scene) killBackend(t *testing.T) {
	t.Helper()
	pid := s.backend(t)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.Eventually(t, func() bool { return !running(pid) }, waitLimit, tick)
}

// breakWeights makes every further load fail, without affecting the loaded model.
func (s *scene) breakWeights(t *testing.T) (repair func()) {
	t.Helper()
	good, err := os.Readlink(s.process.Weights)
	require.NoError(t, err)
	put := func(target string) {
		require.NoError(t, os.Remove(s.process.Weights))
		require.NoError(t, os.Symlink(target, s.process.Weights))
	}
	bad := filepath.Join(t.TempDir(), "bad.gguf")
	require.NoError(t, os.WriteFile(bad, []byte("GGU? and so on"), 0o644))
	put(bad)
	return func() { put(good) }
}

func TestWatch(t *testing.T) {
	installation := localaitest.Install(t)

	t.Run("the backend is killed, twice", func(t *testing.T) {
		s := newScene(t, installation)
		s.watch(t)
		require.Eventually(t, func() bool { return s.starts.Load() == 1 }, waitLimit, tick, "the engine that is there is seen")
		localAI := s.process.PID()
		for i := range 2 {
			old := s.backend(t)
			s.heldOff.Store(0)
			s.killBackend(t)
			s.says(t, i+1, "INFO  watch: the engine answers again, after ")
			assert.GreaterOrEqual(t, s.heldOff.Load(), int32(3), "nginx answers 503 during the repair")
			require.Eventually(t, func() bool { return !s.closed() }, waitLimit, tick, "nginx passes requests on again")
			assert.True(t, s.answers(t))
			assert.NotEqual(t, old, s.backend(t))
		}
		t.Log(s.log) // with a real engine, how long it took
		assert.True(t, s.process.Running())
		assert.Equal(t, localAI, s.process.PID(), "LocalAI kept running")
		require.Eventually(t, func() bool { return s.starts.Load() == 3 }, waitLimit, tick, "the first engine, and two others")
		assert.Zero(t, s.units.restarted())
		assert.Contains(t, s.log.String(), "WARN  watch: the backend of the engine ended; loading the model again")
		assert.NotContains(t, s.log.String(), key)
	})

	t.Run("the backend died before the watch came", func(t *testing.T) {
		s := newScene(t, installation)
		s.killBackend(t)
		require.Eventually(t, func() bool { return !s.answers(t) }, waitLimit, tick, "else there is nothing to repair")
		s.watch(t)
		require.Eventually(t, func() bool { return s.answers(t) }, waitLimit, 100*time.Millisecond)
	})

	t.Run("the model cannot be loaded: LocalAI is restarted", func(t *testing.T) {
		s := newScene(t, installation)
		repairWeights := s.breakWeights(t)
		localAI := s.process.PID()
		s.units.restart = func() {
			repairWeights()
			s.process.Restart(t)
		}
		s.watch(t)
		s.killBackend(t)
		require.Eventually(t, func() bool { return s.units.restarted() == 1 }, waitLimit, tick)
		s.process.WaitUntilServing(t)
		require.Eventually(t, func() bool { return !s.closed() }, waitLimit, tick)
		assert.True(t, s.answers(t))
		assert.Equal(t, 1, s.units.restarted())
		assert.NotEqual(t, localAI, s.process.PID())
		assert.Contains(t, s.log.String(), "ERROR watch: the model cannot be loaded again: LocalAI answers /backend/load with 500: ")
		// And the new one is watched, from the start.
		s.killBackend(t)
		s.says(t, 1, "answers again")
	})

	t.Run("LocalAI cannot be restarted either", func(t *testing.T) {
		s := newScene(t, installation)
		s.breakWeights(t)
		s.watch(t)
		s.killBackend(t)
		s.says(t, 1, "ERROR watch: systemctl says no")
		assert.Positive(t, s.units.restarted())
		s.says(t, 2, "ERROR watch: systemctl says no") // it does not give up
		s.stop()
		assert.False(t, s.closed(), "no watch would remove it later")
	})

	t.Run("LocalAI is killed too: systemd restarts it", func(t *testing.T) {
		s := newScene(t, installation)
		s.watch(t)
		s.process.Kill()
		require.Eventually(t, func() bool { return len(s.process.Backends()) == 0 }, waitLimit, tick)
		s.process.Restart(t)
		s.process.WaitUntilServing(t)
		require.Eventually(t, func() bool { return !s.closed() }, waitLimit, tick)
		assert.NotContains(t, s.log.String(), "the backend of the engine ended")
		// And the new one is watched.
		s.killBackend(t)
		s.says(t, 1, "answers again")
	})

	t.Run("LocalAI is being stopped: the watch does nothing", func(t *testing.T) {
		s := newScene(t, installation)
		s.units.ending = true
		s.killBackend(t)
		s.step(t.Context())
		assert.Empty(t, s.log.String())
		assert.False(t, s.closed())
		assert.Eventually(t, func() bool { return !s.answers(t) }, waitLimit, tick, "it was left alone")
	})

	t.Run("the watch is stopped while it repairs", func(t *testing.T) {
		s := newScene(t, installation)
		s.breakWeights(t)
		asked := make(chan struct{})
		s.units.restart = func() { close(asked) } // and never restarts it
		s.watch(t)
		s.killBackend(t)
		<-asked
		require.True(t, s.closed())
		s.stop()
		assert.False(t, s.closed())
		assert.NotContains(t, s.log.String(), "does not stop")
	})
}

// A killed watch leaves the file behind.
func TestTheFileOfAKilledWatchIsRemoved(t *testing.T) {
	s := &Watcher{ReloadingFile: filepath.Join(t.TempDir(), "reloading"), Log: logfile.Open(filepath.Join(t.TempDir(), "log"), io.Discard, time.Now)}
	require.NoError(t, os.WriteFile(s.ReloadingFile, nil, 0o644))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ended)
	assert.NoFileExists(t, s.ReloadingFile)
}

func model(id string) func() (string, error) { return func() (string, error) { return id, nil } }
