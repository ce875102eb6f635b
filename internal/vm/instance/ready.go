package instance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/completion"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

const (
	pollInterval = 2 * time.Second
	// pageTimeout and tlsTimeout limit one request: QEMU accepts connections before anything
	// listens in the guest, so it may hang. tlsTimeout allows for an RSA signature by an
	// emulated guest.
	pageTimeout = 5 * time.Second
	tlsTimeout  = 30 * time.Second
	// sayInterval is the time between two lines that report what is being waited for.
	sayInterval = 10 * time.Second
	// configureSays is part of the description of the agent's unit, which systemd prints on
	// the console when it starts the unit.
	configureSays = "apply the context"
)

// errRootChanged ends the wait, because time does not fix it.
var errRootChanged = errors.New("the root certificate is another one than at the boot before, so every client that trusted it is locked out")

// WaitReady waits until the model has produced a token, as seen by a client, and returns the
// time since power-on. It fails when the guest ends. say is called at once and then every ten
// seconds with what is being waited for.
func (i *Instance) WaitReady(ctx context.Context, say func(string)) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, i.config.BootTimeout, fmt.Errorf("not ready within %s", i.config.BootTimeout))
	defer cancel()
	ctx, stop := i.WhileRunning(ctx)
	defer stop()

	wait := &wait{say: say, since: i.booted, limit: i.config.BootTimeout, usual: i.config.UsualBoot}
	stages := []stage{
		{"the system to boot", pageTimeout, i.systemUp},
		{"the agent to configure it", pageTimeout, i.learnRoot},
		{"the model to be loaded", tlsTimeout, i.healthy},
		{"the first answer", i.config.BootTimeout, i.token},
	}
	wait.note(stages[0].name, nil)
	defer wait.report(ctx)()
	for _, stage := range stages {
		if err := wait.until(ctx, stage); err != nil {
			return 0, i.withConsole(err)
		}
	}
	return time.Since(i.booted), nil
}

// systemUp reads the console. Not every system prints there what it starts, so an answering
// web server counts too.
func (i *Instance) systemUp(ctx context.Context) error {
	if strings.Contains(i.consoleSinceBoot(), configureSays) {
		return nil
	}
	return i.learnRoot(ctx)
}

func (i *Instance) learnRoot(ctx context.Context) error {
	root, err := acceptance.FetchRoot(ctx, i.target.HTTP)
	if err != nil {
		return err
	}
	if i.target.Root != nil && !i.target.Root.Equal(root) {
		return errRootChanged
	}
	i.target.Root = root
	return nil
}

func (i *Instance) healthy(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.target.BaseURL()+appliance.PathHealth, nil)
	if err != nil {
		return err
	}
	response, err := i.target.Client().Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: status %d", request.URL, response.StatusCode)
	}
	return nil
}

func (i *Instance) token(ctx context.Context) error {
	_, err := completion.Stream(ctx, i.target.Client(), i.target.BaseURL(), i.target.Model, i.target.Password, "Say hello.", 1)
	return err
}

// stage is one thing to wait for.
type stage struct {
	name string
	// limit is the timeout of one attempt.
	limit time.Duration
	try   func(context.Context) error
}

// wait is the state of a wait, for its progress lines.
type wait struct {
	say   func(string)
	since time.Time
	// limit is the timeout of the wait; usual is how long a boot normally takes, 0 if unknown.
	limit, usual time.Duration

	mu    sync.Mutex
	stage string
	last  error
}

// until repeats a stage until it succeeds. The error names the stage and the error of the last
// attempt.
func (w *wait) until(ctx context.Context, s stage) error {
	w.note(s.name, nil)
	for {
		err := attempt(ctx, s)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errRootChanged):
			return err
		case ctx.Err() == nil:
			w.note(s.name, err)
		}
		if err := retry.Sleep(ctx, pollInterval); err != nil {
			return w.failure(err)
		}
	}
}

func attempt(ctx context.Context, s stage) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit, fmt.Errorf("no answer within %s", s.limit))
	defer cancel()
	return s.try(ctx)
}

func (w *wait) note(stage string, last error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stage, w.last = stage, last
}

func (w *wait) failure(cause error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		return fmt.Errorf("wait for %s: %w", w.stage, cause)
	}
	return fmt.Errorf("wait for %s: %w; the last attempt: %w", w.stage, cause, w.last)
}

// report reports at once and every few seconds what is being waited for, until stop is called.
func (w *wait) report(ctx context.Context) (stop func()) {
	w.say(w.line(time.Since(w.since)))
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		ticker := time.NewTicker(sayInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				w.say(w.line(time.Since(w.since)))
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// line includes the time since power-on. It shows the last attempt's error only when the wait
// has become unusually long: until then every boot has such errors.
func (w *wait) line(elapsed time.Duration) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := fmt.Sprintf("waiting for %s: %s, %s", w.stage, elapsed.Round(time.Second), w.left(elapsed))
	if w.last != nil && elapsed > w.unusual() {
		line += "; the last attempt: " + w.last.Error()
	}
	return line
}

func (w *wait) left(elapsed time.Duration) string {
	usual := w.usual.Round(time.Second)
	switch {
	case usual == 0:
		return fmt.Sprintf("at most %s left", (w.limit - elapsed).Round(time.Second))
	case elapsed < usual:
		return fmt.Sprintf("about %s left (%s when verified)", (usual - elapsed).Round(time.Second), usual)
	}
	return fmt.Sprintf("longer than when verified (%s)", usual)
}

func (w *wait) unusual() time.Duration {
	if w.usual > 0 {
		return 2 * w.usual
	}
	return w.limit / 2
}
