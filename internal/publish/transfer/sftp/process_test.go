package sftp

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/recordertest"
)

// sending is what another process of this binary is to do.
type sending struct {
	Options Options
	File    transfer.File
}

// TestMain makes of this binary a process that uploads one file, if it is asked to.
func TestMain(m *testing.M) {
	if text := os.Getenv("SFTP_SEND"); text != "" {
		var task sending
		if err := json.Unmarshal([]byte(text), &task); err != nil {
			panic(err)
		}
		_, err := New(task.Options).Send(context.Background(), task.File, func(string) {})
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestAKilledRunIsContinued(t *testing.T) {
	s := startServer(t, launch{})
	p := startProxy(t, s.address, fault{after: 7 << 20, stall: true})
	options, file, said := s.optionsFor(t, p.address), image(t, imageSize), &recordertest.Lines{}
	task, err := json.Marshal(sending{options, file})
	require.NoError(t, err)
	first := exec.CommandContext(t.Context(), os.Args[0])
	first.Env = append(os.Environ(), "SFTP_SEND="+string(task))
	require.NoError(t, first.Start())
	require.Eventually(t, func() bool { return p.sent.Load() == 7<<20 }, 20*time.Second, time.Millisecond)
	require.NoError(t, first.Process.Kill())
	require.Error(t, first.Wait())

	_, err = New(options).Send(t.Context(), file, said.Say)
	require.NoError(t, err)
	assertArrived(t, options, file)
	assert.Contains(t, said.Text(), "continuing after")
	assert.Less(t, p.sent.Load(), int64(imageSize+3<<20))
}
