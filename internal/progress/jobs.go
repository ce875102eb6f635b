package progress

import (
	"os"
	"strings"
	"sync"
	"time"
)

// Jobs shows the progress of concurrent jobs: in one changing line on a terminal, otherwise in
// a line every ten seconds.
type Jobs struct {
	show    func(line string)
	say     func(line string)
	started time.Time

	mu      sync.Mutex
	running []*Job
}

// Job is one of the jobs. It may be used from several goroutines.
type Job struct {
	jobs    *Jobs
	name    string
	started time.Time
	far     string
}

// StartJobs starts showing jobs on out. The returned function stops that, and leaves no
// half-drawn line.
func StartJobs(out *os.File) (*Jobs, func()) {
	line := NewLine(out)
	j := &Jobs{started: time.Now(), show: line.Say, say: line.Keep}
	every := 10 * time.Second
	if line.width > 0 {
		every = time.Second
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		j.repeat(every, done)
	}()
	return j, func() { close(done); <-ended; line.clear() }
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

// line must be called with the lock held.
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

// Start adds a job named name.
func (j *Jobs) Start(name string) *Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	job := &Job{jobs: j, name: name, started: time.Now()}
	j.running = append(j.running, job)
	return job
}

// Far sets, in a few words, how far the job is.
func (j *Job) Far(text string) {
	j.jobs.mu.Lock()
	defer j.jobs.mu.Unlock()
	j.far = text
}

// End removes the job and shows its result, and its duration if that was long enough to
// notice.
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
