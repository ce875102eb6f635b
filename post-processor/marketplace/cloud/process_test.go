package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/common"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/onedtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
)

// job describes what a process publishes.
type job struct {
	Endpoint, Spool string
	Appliance       Appliance
	Target          Target
}

// TestMain makes the test binary publish, if PUBLISH_JOB is set.
func TestMain(m *testing.M) {
	if text := os.Getenv("PUBLISH_JOB"); text != "" {
		os.Exit(publishAsProcess(text))
	}
	os.Exit(m.Run())
}

func publishAsProcess(text string) int {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		fmt.Println(err)
		return 2
	}
	say := func(line string) { fmt.Println(line) }
	client, err := opennebula.New(opennebula.Options{
		Endpoint: j.Endpoint, Credentials: opennebula.Credentials{User: onedtest.User, Secret: onedtest.Password},
		HTTP: &http.Client{Timeout: time.Minute}, Say: say, Poll: time.Millisecond,
	})
	if err != nil {
		fmt.Println(err)
		return 2
	}
	p := &Publisher{
		Client: client, Transfer: spool{directory: j.Spool}, Target: j.Target, Appliance: j.Appliance, Say: say,
		Abort: func(error) {}, LeaseInterval: never,
	}
	if err := step.Run(context.Background(), &packersdk.MockUi{}, common.PackerConfig{}, "publishing", append(p.Preflight(), p.Steps()...)...); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// TestKillMinusNine kills a real process at every third call. TestKilledAtAnyCall covers
// all calls, without a process.
func TestKillMinusNine(t *testing.T) {
	before, after := calls(t)
	// A run that waits less makes fewer calls, so the last ones may be missing.
	for n := before; n < after-6; n += 3 {
		t.Run(fmt.Sprint(n-before), func(t *testing.T) {
			t.Parallel()
			oned, f, a, wanted := whole(t)
			text, err := json.Marshal(job{f.endpoint, f.spool.directory, a, wanted})
			require.NoError(t, err)
			process := exec.Command(os.Args[0])
			// Otherwise the race detector would wait for a second when the process ends.
			process.Env = append(os.Environ(), "PUBLISH_JOB="+string(text), "GORACE=atexit_sleep_ms=0")
			started := make(chan struct{})
			at := len(oned.Calls()) + n - before
			oned.OnCall(func(n int, _ string) {
				if n == at {
					<-started
					assert.NoError(t, process.Process.Kill())
				}
			})
			require.NoError(t, process.Start())
			close(started)
			require.Error(t, process.Wait(), "it was killed")
			oned.OnCall(nil)
			assertOldVersionOr(t, oned, a)
			_, _, err = f.run(t.Context(), t, a, wanted, 2*time.Millisecond)
			require.NoError(t, err)
			assertPublished(t, oned, f, a)
		})
	}
}

// BenchmarkNothingToDo measures a run after a successful one, without the time that a real
// front-end takes.
func BenchmarkNothingToDo(b *testing.B) {
	oned := onedtest.Start(b, "7.0.0")
	f := front{
		endpoint: oned.Endpoint(), credentials: opennebula.Credentials{User: onedtest.User, Secret: onedtest.Password},
		spool: spool{directory: b.TempDir()}, poll: time.Millisecond,
	}
	a := newAppliance(b, "Copilot", "1.0.0")
	_, _, err := f.run(b.Context(), b, a, target(), never)
	require.NoError(b, err)
	for b.Loop() {
		_, _, err := f.run(b.Context(), b, a, target(), never)
		require.NoError(b, err)
	}
}
