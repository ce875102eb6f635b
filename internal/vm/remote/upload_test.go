package remote

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remotetest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

const (
	uploaded = "/opt/new dir/a file"
	part     = uploaded + ".part"
)

func file(content string) File {
	return File{Content: strings.NewReader(content), Size: int64(len(content)), Path: uploaded, Mode: 0o755}
}

// impatient does not wait long between two connections.
func impatient(comm packersdk.Communicator) *Machine {
	return &Machine{comm, retry.Policy{Failures: 5, Pause: time.Millisecond, MaxPause: time.Second}}
}

func TestUpload(t *testing.T) {
	for _, content := range []string{"content", ""} {
		double := remotetest.New(t)
		double.Write(part, "what another try left, and longer")
		var said []string
		meter := progress.Lines("upload", int64(len(content)), func(line string) { said = append(said, line) })
		require.NoError(t, impatient(double).Upload(t.Context(), file(content), meter))
		assert.Equal(t, content, double.Read(uploaded))
		assert.Len(t, said, 1)
		mode, err := exec.Command("stat", "-c", "%a", double.Path(uploaded), double.Path("/opt/new dir")).Output()
		require.NoError(t, err)
		assert.Equal(t, "755\n755\n", string(mode))
		assert.NoFileExists(t, double.Path(part))
	}
}

func TestUploadThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		sabotage func(string, []byte) ([]byte, error)
		err      string
	}{
		"bytes are changed": {func(_ string, b []byte) ([]byte, error) { b[0]++; return b, nil }, "verify /opt/new dir/a file: exit status 1:\n  sha256:"},
		"bytes are added":   {func(_ string, b []byte) ([]byte, error) { return append(b, 'x'), nil }, "upload /opt/new dir/a file: sending failed 5 times, at last: the connection to the machine ended early"},
		"nothing arrives":   {func(string, []byte) ([]byte, error) { return nil, nil }, "upload /opt/new dir/a file: sending failed 5 times, at last: the connection to the machine ended early"},
		"no connection":     {func(string, []byte) ([]byte, error) { return nil, errors.New("EOF") }, "upload /opt/new dir/a file: sending failed 5 times, at last: start a command on the machine: EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			double := remotetest.New(t)
			double.Write(uploaded, "old")
			double.Sabotage = tt.sabotage
			require.ErrorContains(t, impatient(double).Upload(t.Context(), file("content"), nil), tt.err)
			assert.Equal(t, "old", double.Read(uploaded))
		})
	}
}

// Three bytes arrive each time: the rest must follow, and nothing twice.
func TestUploadGoesOn(t *testing.T) {
	double := remotetest.New(t)
	var sent []string
	double.Sabotage = func(_ string, content []byte) ([]byte, error) {
		sent = append(sent, string(content))
		return content[:min(3, len(content))], nil
	}
	var said []string
	meter := progress.Lines("upload", 7, func(line string) { said = append(said, line) })
	require.NoError(t, impatient(double).Upload(t.Context(), file("content"), meter))
	assert.Equal(t, "content", double.Read(uploaded))
	assert.Equal(t, []string{"content", "tent", "t"}, sent)
	assert.Regexp(t, `^upload: the connection to the machine ended early; trying again in \d+ms \(failure 1 of 5\)$`, said[0])
	assert.Contains(t, said[1], "(failure 2 of 5)")
}

// Packer's own communicator over a network that is cut in the middle.
func TestUploadOverABrokenNetwork(t *testing.T) {
	content := make([]byte, 16<<20)
	_, _ = rand.New(rand.NewSource(1)).Read(content)
	for name, tt := range map[string]struct {
		budgets     []int64
		connections int64
		err         string
	}{
		"sound":              {nil, 1, ""},
		"cut twice":          {[]int64{5 << 20, 4 << 20}, 3, ""},
		"cut at the end":     {[]int64{16<<20 + 6<<10}, 2, ""},
		"always cut":         {[]int64{1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20}, 5, "upload /opt/new dir/a file: sending failed 5 times, at last: the connection to the machine was lost"},
		"cut in a handshake": {[]int64{5 << 20, 1000}, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			double, link := remotetest.New(t), &remotetest.Link{Budgets: tt.budgets}
			machine := impatient(double.SSH(t, link))
			var said []string
			meter := progress.Lines("upload", int64(len(content)), func(line string) { said = append(said, line) })
			err := machine.Upload(t.Context(), file(string(content)), meter)
			assert.Equal(t, tt.connections, link.Connections.Load(), "%q", said)
			if tt.err != "" {
				require.EqualError(t, err, tt.err)
				assert.NoFileExists(t, double.Path(uploaded))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, sha256.Sum256(content), sha256.Sum256([]byte(double.Read(uploaded))), "another content")
			assert.NoFileExists(t, double.Path(part))
		})
	}
}

// The first piece written to /dev/full fails as it does on a full disk, and the machine
// takes no more.
func TestUploadToAFullDisk(t *testing.T) {
	dd, err := exec.LookPath("dd")
	require.NoError(t, err)
	double := remotetest.New(t)
	double.Stub("dd", `echo half >"${1#of=}"; exec `+dd+` of=/dev/full bs=1M status=none`)
	double.Stub("df", `echo Avail; echo " 4096"`)
	link := new(remotetest.Link)
	content := &counting{ReaderAt: strings.NewReader(strings.Repeat("x", 64<<20))}
	err = impatient(double.SSH(t, link)).Upload(t.Context(), File{Content: content, Size: 64 << 20, Path: uploaded}, nil)
	require.ErrorContains(t, err, "upload /opt/new dir/a file: exit status 1:\n  ")
	assert.ErrorContains(t, err, "No space left on device\n"+
		"  the file has 67108864 bytes, and its file system 4096 bytes to spare")
	assert.NoFileExists(t, double.Path(part))
	assert.Equal(t, []string{"dd", "df"}, programs(double.Calls()), "tried once")
	assert.Less(t, content.read.Load(), int64(32<<20), "no more is sent than what was under way")
}

// counting is still read for a moment by a connection whose upload is over.
type counting struct {
	io.ReaderAt
	read atomic.Int64
}

func (c *counting) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, at)
	c.read.Add(int64(n))
	return n, err
}

func programs(calls []string) []string {
	for i, call := range calls {
		calls[i], _, _ = strings.Cut(call, " ")
	}
	return calls
}

func TestUploadOfAFileThatCannotBeRead(t *testing.T) {
	cut := file("content")
	cut.Size = 10
	broken := file("content")
	broken.Content = unreadable{}
	for want, file := range map[string]File{
		"the file on this host ended after 7 of 10 bytes: it is being changed": cut,
		"input/output error": broken,
	} {
		link := new(remotetest.Link)
		err := impatient(remotetest.New(t).SSH(t, link)).Upload(t.Context(), file, nil)
		assert.EqualError(t, err, "upload "+uploaded+": "+want)
	}
}

type unreadable struct{}

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, errors.New("input/output error") }

func TestUploadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	double := remotetest.New(t)
	// It never takes anything.
	double.Stub("dd", "sleep 60")
	said := 0
	meter := progress.Lines("upload", 1<<30, func(string) { said++ })
	err := impatient(double).Upload(ctx, File{Content: &cancelling{cancel}, Size: 1 << 30, Path: uploaded}, meter)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, said, "a cancelled upload is not tried again")
}

// cancelling is a file at whose reading somebody presses Ctrl-C.
type cancelling struct{ cancel func() }

func (c *cancelling) ReadAt(p []byte, _ int64) (int, error) {
	c.cancel()
	return len(p), nil
}

// The deadline of a script with input is put off by each piece it takes.
func TestInputPutsTheDeadlineOff(t *testing.T) {
	const timeout = time.Second
	script := Script{Text: `while read -r line; do echo "$line"; done`, Timeout: timeout}
	var want strings.Builder
	from, to := io.Pipe()
	script.Input = from
	script.Line = func(line string) {
		var n int
		_, _ = fmt.Sscan(line, &n)
		switch {
		case n < 6:
			go func() {
				<-time.After(timeout / 3)
				fmt.Fprintln(to, n+1)
			}()
		default:
			to.Close()
		}
	}
	go fmt.Fprintln(to, 1)
	for n := range 6 {
		fmt.Fprintln(&want, n+1)
	}
	out, err := NewMachine(remotetest.New(t)).Run(t.Context(), script)
	require.NoError(t, err)
	assert.Equal(t, want.String(), out)

	stuck, hold := io.Pipe()
	defer hold.Close()
	_, err = NewMachine(remotetest.New(t)).Run(t.Context(), Script{Text: `cat`, Input: stuck, Timeout: timeout})
	assert.EqualError(t, err, "the machine took nothing for 1s")
}
