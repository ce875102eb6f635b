package progress

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJobsThatRunAtOnceShareALine(t *testing.T) {
	started := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	j := &Jobs{started: started}
	assert.Empty(t, j.line(started), "nothing runs")
	packer, base := j.Start("Packer"), j.Start("base image")
	packer.Far("213 of 475 packages compiled")
	assert.Equal(t, "1m10s  Packer: 213 of 475 packages compiled | base image", j.line(started.Add(70*time.Second)))

	var said []string
	j.say = func(line string) { said = append(said, line) }
	packer.End("compiled")
	base.started = base.started.Add(-90 * time.Second)
	base.End("made")
	assert.Equal(t, []string{"Packer: compiled", "base image: made, 1m30s"}, said)
	assert.Empty(t, j.line(started))
}

func TestJobsAreShownUntilTheEnd(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer out.Close()
	jobs, end := StartJobs(out)
	jobs.Start("plugin").End("compiled")
	end()
	text, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	assert.Equal(t, "plugin: compiled\n", string(text))
}

func TestRunningJobsAreRepeated(t *testing.T) {
	j := &Jobs{started: time.Now()}
	j.Start("plugin").Far("12 of 40")
	lines, done := make(chan string, 2), make(chan struct{})
	j.show = func(line string) {
		select {
		case lines <- line:
		default:
		}
	}
	go j.repeat(time.Millisecond, done)
	defer close(done)
	for range 2 {
		assert.True(t, strings.HasSuffix(<-lines, "plugin: 12 of 40"))
	}
}
