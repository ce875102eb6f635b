package sftp

import (
	"bytes"
	"context"
	"math"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/recordertest"
)

// filesOnly is an account that runs no programs. For root's sshd it is another user's.
func filesOnly(t *testing.T) *server {
	s := startServer(t, launch{settings: []string{"ForceCommand=internal-sftp"}})
	if os.Geteuid() == 0 {
		s.options.User = "nobody"
		require.NoError(t, os.Chown(s.options.Directory, 65534, -1))
	}
	return s
}

func TestAnAccountForFilesAlone(t *testing.T) {
	s := filesOnly(t)
	file, said := image(t, imageSize), &recordertest.Lines{}
	content, err := os.ReadFile(file.Path)
	require.NoError(t, err)
	part := filepath.Join(s.options.Directory, file.Name+".part")
	leave(t, s.options, file, content[:3<<20])
	require.NoError(t, os.Chmod(part, 0o644))
	_, err = New(s.options).Send(t.Context(), file, said.Say)
	if os.Geteuid() == 0 {
		require.ErrorContains(t, err, "nobody may not write "+part, "it was left by somebody else")
		require.NoError(t, os.Chown(part, 65534, -1))
		_, err = New(s.options).Send(t.Context(), file, said.Say)
	}
	require.NoError(t, err)
	assertArrived(t, s.options, file)
	assert.Contains(t, said.Text(), "continuing after 3.0 MiB")
	assert.Contains(t, said.Text(), "the server runs no sha256sum for us: reading "+part+" back")
}

func TestDirectoriesThatDoNotWork(t *testing.T) {
	s := filesOnly(t)
	closed := s.options.Directory
	require.NoError(t, os.Chmod(closed, 0o555))
	notOne := filepath.Join(openDir(t), "file")
	require.NoError(t, os.WriteFile(notOne, nil, 0o644))
	for directory, want := range map[string]string{
		closed:         s.options.User + " may not write there",
		notOne:         "it is not a directory",
		notOne + "-no": "it is not there: make it, or name another directory that OpenNebula may read (SAFE_DIRS)",
	} {
		options := s.options
		options.Directory = directory
		err := New(options).Check(t.Context(), nil)
		assert.EqualError(t, err, "look at "+directory+" on "+options.address()+": "+want)
	}
	_, err := New(s.options).Send(t.Context(), image(t, 1), (&recordertest.Lines{}).Say)
	assert.ErrorContains(t, err, s.options.User+" may not write "+closed)
}

func TestTooLittleSpaceIsToldBeforeAnythingIsSent(t *testing.T) {
	s := startServer(t, launch{})
	file, small := image(t, 1000), image(t, 2000)
	file.Size = math.MaxInt64 / 2
	small.Name = "small"
	err := New(s.options).Check(t.Context(), []transfer.File{file, small})
	require.ErrorContains(t, err, "look at "+s.options.Directory+" on "+s.options.address()+": it has ")
	assert.ErrorContains(t, err, " free, and 4.0 EiB are to be uploaded: make room, or name a directory on a larger disk")
	_, err = New(s.options).Send(t.Context(), file, (&recordertest.Lines{}).Say)
	assert.ErrorContains(t, err, s.options.Directory+": it has ")
	assert.Empty(t, names(t, s.options.Directory))

	// What is there already needs no room.
	half := filepath.Join(s.options.Directory, file.Name+".part")
	require.NoError(t, os.WriteFile(half, nil, 0o600))
	require.NoError(t, os.Truncate(half, 1<<40))
	file.Size = 1<<40 + 1000
	assert.NoError(t, New(s.options).Check(t.Context(), []transfer.File{file, small}))
	require.NoError(t, os.Rename(half, filepath.Join(s.options.Directory, file.Name)))
	require.NoError(t, os.Truncate(filepath.Join(s.options.Directory, file.Name), file.Size))
	assert.NoError(t, New(s.options).Check(t.Context(), []transfer.File{file, small}))
}

// To a process, a file that may not grow is like a full disk, but for the number of the error.
func TestADiskThatTakesNoMore(t *testing.T) {
	// In blocks of 512 bytes, to bash as to dash when they are sh.
	s := startServer(t, launch{shell: "trap '' XFSZ; ulimit -f 10240"})
	p := startProxy(t, s.address)
	options, file, said := s.optionsFor(t, p.address), image(t, imageSize), &recordertest.Lines{}
	_, err := New(options).Send(t.Context(), file, said.Say)
	require.ErrorContains(t, err, "upload "+file.Name+" to "+options.address()+" (5.0 MiB of it stay as ")
	require.ErrorContains(t, err, "Failure")
	assert.ErrorContains(t, err, "so look for a quota, a limit of file sizes, or a broken disk; 7.0 MiB are missing")
	assert.NotContains(t, said.Text(), "trying again")
	assert.Equal(t, int64(1), p.connections.Load())

	got, err := os.ReadFile(filepath.Join(options.Directory, file.Name+".part"))
	require.NoError(t, err)
	want, err := os.ReadFile(file.Path)
	require.NoError(t, err)
	assert.True(t, bytes.HasPrefix(want, got), "what is there can be continued")
}

func TestNobodyListens(t *testing.T) {
	s := startServer(t, launch{})
	options, said := s.optionsFor(t, freeAddress(t)), &recordertest.Lines{}
	err := New(options).Check(t.Context(), nil)
	assert.ErrorContains(t, err, "connect to "+options.shown()+": dial tcp "+options.address()+": connect: connection refused")
	_, err = quick(options).Send(t.Context(), image(t, 1), said.Say)
	assert.ErrorContains(t, err, "failed 5 times, at last: connect to ")
	assert.Len(t, said.All(), 4)
	assert.Error(t, New(options).Remove(t.Context(), image(t, 1)))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = New(options).Send(ctx, image(t, 1), said.Say)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, New(options).Check(ctx, nil), context.Canceled)
}

func TestAServerWithoutFiles(t *testing.T) {
	for name, how := range map[string]launch{
		"no subsystem":               {subsystem: "other internal-sftp"},
		"an account without a shell": {settings: []string{"ForceCommand=false"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, how)
			_, err := New(s.options).Send(t.Context(), image(t, 1), func(line string) { assert.NotContains(t, line, "trying again") })
			assert.ErrorContains(t, err, "the server lets us in but offers no SFTP to "+s.options.User+" (see Subsystem in its sshd_config): ")
		})
	}
}

func TestASilentConnectionBreaks(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	w := watched{here, 10 * time.Millisecond}
	_, err := w.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.True(t, isTemporary(err))
	_, err = w.Write(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

// The server lets nothing through after the TCP connection: Send does not wait for ever, and
// a cancel does not wait at all.
func TestCancelDuringTheHandshake(t *testing.T) {
	s := startServer(t, launch{})
	p := startProxy(t, s.address, fault{after: 10, stall: true})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(s.optionsFor(t, p.address)).Check(ctx, nil) }()
	require.Eventually(t, func() bool { return p.sent.Load() == 10 }, 20*time.Second, time.Millisecond)
	cancel()
	select {
	case err := <-ended:
		assert.ErrorIs(t, err, context.Canceled)
	case <-time.After(10 * time.Second):
		require.Fail(t, "the cancel was not noticed")
	}
}

func FuzzParseSum(f *testing.F) {
	f.Add("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  -\n")
	f.Add("Welcome!\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  -\r\n")
	f.Add("sha256sum: not found\n")
	f.Fuzz(func(t *testing.T, output string) {
		sum, ok := parseSum(output)
		if ok {
			assert.Regexp(t, "^[0-9a-f]{64}$", sum)
			assert.Contains(t, output, sum)
		} else {
			assert.Empty(t, sum)
		}
	})
}
