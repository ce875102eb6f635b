package progress

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Jobs shows how far jobs are that run at the same time: in one line that changes on a
// terminal, elsewhere in a line every ten seconds.
type Jobs struct {
	show    func(line string)
	say     func(line string)
	started time.Time

	mu      sync.Mutex
	running []*Job
}

// Job is one of them. It may be used from several goroutines.
type Job struct {
	jobs    *Jobs
	name    string
	started time.Time
	far     string
}

// StartJobs begins to show jobs on out. The function it returns ends that, and leaves no
// half-drawn line.
func StartJobs(out *os.File) (*Jobs, func()) {
	j := &Jobs{started: time.Now(), say: func(line string) { fmt.Fprintln(out, line) }}
	every, clear := 10*time.Second, func() {}
	j.show = j.say
	if term.IsTerminal(int(out.Fd())) {
		every = time.Second
		j.show, clear = oneLine(out)
		say := j.say
		j.say = func(line string) { clear(); say(line) }
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		j.repeat(every, done)
	}()
	return j, func() { close(done); <-ended; clear() }
}

// oneLine draws a line over the one before it.
func oneLine(out *os.File) (show func(string), clear func()) {
	bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(out), progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSpinnerType(14), progressbar.OptionSetRenderBlankState(false), progressbar.OptionThrottle(0))
	return func(line string) {
		width, _, err := term.GetSize(int(out.Fd()))
		// The spinner takes two columns, and a full line would make a terminal scroll.
		if room := width - 4; err == nil && room > 0 && len(line) > room {
			line = line[:room]
		}
		bar.Describe(line)
		_ = bar.Add(1)
	}, func() { _ = bar.Clear() }
}

func (j *Jobs) repeat(every time.Duration, done <-chan struct{}) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			j.mu.Lock()
			if line := j.line(time.Now()); line != "" {
				j.show(line)
			}
			j.mu.Unlock()
		}
	}
}

// line is called with the lock held.
func (j *Jobs) line(now time.Time) string {
	var parts []string
	for _, job := range j.running {
		parts = append(parts, strings.TrimSuffix(job.name+": "+job.far, ": "))
	}
	if len(parts) == 0 {
		return ""
	}
	return now.Sub(j.started).Round(time.Second).String() + "  " + strings.Join(parts, " | ")
}

// Start adds a job that is called name.
func (j *Jobs) Start(name string) *Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	job := &Job{jobs: j, name: name, started: time.Now()}
	j.running = append(j.running, job)
	return job
}

// Far says how far the job is, in a few words.
func (j *Job) Far(text string) {
	j.jobs.mu.Lock()
	defer j.jobs.mu.Unlock()
	j.far = text
}

// End takes the job off and says what became of it, and how long it took if that was long
// enough to notice.
func (j *Job) End(result string) {
	j.jobs.mu.Lock()
	defer j.jobs.mu.Unlock()
	for i, job := range j.jobs.running {
		if job == j {
			j.jobs.running = append(j.jobs.running[:i], j.jobs.running[i+1:]...)
			break
		}
	}
	if took := time.Since(j.started).Round(time.Second); took > 0 {
		result += ", " + took.String()
	}
	j.jobs.say(j.name + ": " + result)
}
