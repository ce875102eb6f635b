package watch

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/systemd"
)

func TestDecide(t *testing.T) {
	tests := map[string]struct {
		sight sight
		want  action
	}{
		"LocalAI does not run":               {sight{}, lookAgain},
		"it starts":                          {sight{active: true, localAI: 1}, lookAgain},
		"it loads":                           {sight{active: true, localAI: 1, backends: []int{2}}, await},
		"it serves":                          {sight{active: true, localAI: 1, backends: []int{2}, answers: true}, await},
		"its backend died":                   {sight{active: true, localAI: 1, answers: true}, repair},
		"it is being stopped":                {sight{localAI: 1, answers: true}, lookAgain},
		"it is being stopped, after backend": {sight{localAI: 1, backends: []int{2}}, lookAgain},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, decide(tt.sight)) })
	}
}

func TestTooManyRepairsAreReportedAndSlowedDown(t *testing.T) {
	var said []string
	w := &Watcher{
		Log:     logfile.Open(filepath.Join(t.TempDir(), "log"), &text{}, time.Now),
		Trouble: func(err error) { said = append(said, err.Error()) },
	}
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i := range tooMany - 1 {
		w.count(t.Context(), start.Add(time.Duration(i)*time.Minute))
	}
	assert.Empty(t, said)
	w.count(t.Context(), start.Add(tooMany*time.Minute))
	assert.Equal(t, []string{"the backend of the engine ended 5 times within 10m0s; is there enough memory? See: journalctl -k -u local-ai.service"}, said)
	w.count(t.Context(), start.Add(time.Hour))
	assert.Len(t, said, 1, "old repairs do not count")

	// With a pause of an hour the test ends only because the wait ends with its context.
	w.Pause = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	w.Trouble = func(error) { cancel() }
	for range tooMany {
		w.count(ctx, start.Add(time.Hour))
	}
	assert.ErrorIs(t, ctx.Err(), context.Canceled)
}

// sleeper is a child process; it ends with the test.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	command := exec.Command("sleep", "600")
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return command
}

func running(pid int) bool {
	_, running := parentOf(pid)
	return running
}

func TestWaitForEnd(t *testing.T) {
	one, other := sleeper(t), sleeper(t)
	ended := make(chan error, 1)
	go func() { ended <- waitForEnd(t.Context(), one.Process.Pid, other.Process.Pid) }()
	require.NoError(t, other.Process.Kill())
	select {
	case err := <-ended:
		assert.NoError(t, err)
	case <-time.After(waitLimit):
		require.FailNow(t, "the end of a process was not noticed")
	}
	assert.True(t, running(one.Process.Pid))
	assert.False(t, running(other.Process.Pid), "a zombie")
	assert.NotContains(t, children(os.Getpid()), other.Process.Pid)
	assert.Contains(t, children(os.Getpid()), one.Process.Pid)
	_ = other.Wait()
	assert.NoError(t, waitForEnd(t.Context(), other.Process.Pid), "a process that is gone")
	assert.Empty(t, children(other.Process.Pid))
	parent, _ := parentOf(one.Process.Pid)
	assert.Equal(t, os.Getpid(), parent)

	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- waitForEnd(ctx, one.Process.Pid) }()
	cancel()
	select {
	case err := <-ended:
		assert.ErrorIs(t, err, context.Canceled)
	case <-time.After(waitLimit):
		require.FailNow(t, "the wait does not end with its context")
	}
}

func TestWaitingLeaksNoFiles(t *testing.T) {
	count := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(open)
	}
	gone := sleeper(t)
	require.NoError(t, gone.Process.Kill())
	_ = gone.Wait()
	before := count()
	for range 20 {
		require.NoError(t, waitForEnd(t.Context(), os.Getppid(), gone.Process.Pid))
	}
	assert.LessOrEqual(t, count(), before)
}

func TestRequestsToLocalAI(t *testing.T) {
	var seen []string
	status := map[string]int{}
	badTokens := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		seen = append(seen, r.Method+" "+r.URL.Path+" "+string(body))
		assert.Equal(t, "Bearer k", r.Header.Get("Authorization"))
		code := status[r.URL.Path]
		if r.URL.Path == "/v1/completions" && badTokens > 0 {
			badTokens--
			code = http.StatusInternalServerError
		}
		if code != 0 {
			http.Error(w, " no ", code)
		}
	}))
	defer server.Close()
	e := Engine{URL: server.URL, Model: model("m"), Key: func() (string, error) { return "k", nil }}

	require.NoError(t, e.reload(t.Context()))
	assert.Equal(t, []string{
		`POST /backend/shutdown {"model":"m"}`, `POST /backend/load {"model":"m"}`,
		`POST /v1/completions {"max_tokens":1,"model":"m","prompt":"Hello"}`,
	}, seen)
	badTokens = 2
	assert.NoError(t, e.reload(t.Context()), "half a character is asked again")
	status["/backend/shutdown"] = http.StatusNotFound
	assert.NoError(t, e.reload(t.Context()), "it was not loaded")
	for _, path := range []string{"/v1/completions", "/backend/load", "/backend/shutdown"} {
		status[path] = http.StatusInternalServerError
		assert.EqualError(t, e.reload(t.Context()), "LocalAI answers "+path+" with 500: no")
	}
	e.Key = func() (string, error) { return "", errors.New("no file") }
	assert.EqualError(t, e.reload(t.Context()), "read LocalAI's key: no file")
	assert.False(t, e.answers(t.Context()))
}

func TestARepeatedErrorIsLoggedOnce(t *testing.T) {
	log := &text{}
	w := &Watcher{Log: logfile.Open(filepath.Join(t.TempDir(), "log"), log, time.Now)}
	for _, err := range []error{errors.New("one"), errors.New("one"), errors.New("two"), nil, errors.New("two")} {
		w.sayOnce(err)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "WARN  watch: one\n"))
	assert.Equal(t, 2, strings.Count(log.String(), "WARN  watch: two\n"))
}

// stub is a fake systemd whose LocalAI has a process id that is not watched.
type stub struct{ restarts int }

func (*stub) State(context.Context, string) (systemd.State, error) {
	return systemd.State{Active: true, MainPID: 1}, nil
}

func (s *stub) TryRestart(context.Context, string) error {
	s.restarts++
	return errors.New("no")
}

// After a signal LocalAI stops its backend before itself, and systemd calls it active
// meanwhile.
func TestALocalAIThatDisconnectsIsNotRestarted(t *testing.T) {
	var hangUp atomic.Bool
	hangUp.Store(true)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !hangUp.Load() {
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		connection, _, err := w.(http.Hijacker).Hijack()
		assert.NoError(t, err)
		connection.Close()
	}))
	defer server.Close()
	units, log := &stub{}, &text{}
	w := &Watcher{
		Units:  units,
		Engine: Engine{URL: server.URL, Model: model("m"), Key: func() (string, error) { return "k", nil }},
		Log:    logfile.Open(filepath.Join(t.TempDir(), "log"), log, time.Now),
	}
	w.repair(t.Context(), 1)
	assert.Zero(t, units.restarts)
	assert.Contains(t, log.String(), "INFO  watch: LocalAI itself ended or is stopping, which systemd handles: ")
	hangUp.Store(false)
	w.repair(t.Context(), 2)
	assert.Zero(t, units.restarts, "it was restarted meanwhile")
	w.repair(t.Context(), 1)
	assert.Equal(t, 1, units.restarts)
	assert.False(t, disconnected(context.DeadlineExceeded), "one that takes too long is restarted")
}
