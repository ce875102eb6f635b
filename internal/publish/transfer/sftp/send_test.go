package sftp

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/recordertest"
)

func TestSendThenRemove(t *testing.T) {
	s := startServer(t, launch{})
	file, said := image(t, imageSize), &recordertest.Lines{}
	m := New(s.options)
	require.NoError(t, m.Check(t.Context(), []transfer.File{file}))
	assert.Empty(t, names(t, s.options.Directory), "a check leaves nothing")

	path, err := m.Send(t.Context(), file, said.Say)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(s.options.Directory, file.Name), path)
	assertArrived(t, s.options, file)
	assert.NotContains(t, said.Text(), "back", "the server computes the digest")

	leave(t, s.options, file, []byte("x"))
	require.NoError(t, m.Remove(t.Context(), file))
	assert.Empty(t, names(t, s.options.Directory))
	require.NoError(t, m.Remove(t.Context(), file), "nothing there is no error")
	require.NoError(t, m.Close())
}

// The datastore's driver looks at where a file really is.
func TestTheDirectoryIsToldWithoutSymbolicLinks(t *testing.T) {
	s := startServer(t, launch{})
	options := s.options
	real, err := filepath.EvalSymlinks(options.Directory)
	require.NoError(t, err)
	options.Directory = filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(real, options.Directory))
	file := image(t, 1)
	m := New(options)
	require.NoError(t, m.Check(t.Context(), []transfer.File{file}))
	assert.Equal(t, filepath.Join(real, file.Name), m.Local(file))
}

func TestWhatIsThereIsNotSentAgain(t *testing.T) {
	s := startServer(t, launch{})
	p := startProxy(t, s.address)
	options := s.optionsFor(t, p.address)
	file, said := image(t, imageSize), &recordertest.Lines{}
	m := New(options)
	_, err := m.Send(t.Context(), file, said.Say)
	require.NoError(t, err)
	before := p.sent.Load()
	_, err = m.Send(t.Context(), file, said.Say)
	require.NoError(t, err)
	assert.Less(t, p.sent.Load()-before, int64(64<<10))
	assert.Contains(t, said.Text(), "is there already")
}

func TestOtherContentIsReplaced(t *testing.T) {
	s := startServer(t, launch{})
	file := image(t, imageSize)
	for name, content := range map[string][]byte{"same size": make([]byte, imageSize), "longer": make([]byte, imageSize+1)} {
		t.Run(name, func(t *testing.T) {
			said := &recordertest.Lines{}
			require.NoError(t, os.WriteFile(filepath.Join(s.options.Directory, file.Name), content, 0o600))
			_, err := New(s.options).Send(t.Context(), file, said.Say)
			require.NoError(t, err)
			assertArrived(t, s.options, file)
			assert.Contains(t, said.Text(), "will be replaced")
		})
	}
}

func TestAPartIsContinuedIfItFits(t *testing.T) {
	s := startServer(t, launch{})
	file := image(t, imageSize)
	content, err := os.ReadFile(file.Path)
	require.NoError(t, err)
	damaged := bytes.Clone(content[:10<<20])
	damaged[5<<20]++
	for name, c := range map[string]struct {
		part []byte
		// least and most are sent, in bytes.
		least, most int64
		says        string
	}{
		"a beginning": {content[:10<<20], 2 << 20, 3 << 20, "continuing after 10.0 MiB"},
		"all of it":   {content, 0, 1 << 20, "continuing after 12.0 MiB"},
		"damaged":     {damaged, imageSize, imageSize + 1<<20, "does not fit the file: sending it from the start"},
		"too long":    {append(bytes.Clone(content), 0), imageSize, imageSize + 1<<20, "does not fit the file: sending it from the start"},
		"empty":       {nil, imageSize, imageSize + 1<<20, "12.0 MiB in"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startProxy(t, s.address)
			options, said := s.optionsFor(t, p.address), &recordertest.Lines{}
			leave(t, options, file, c.part)
			_, err := New(options).Send(t.Context(), file, said.Say)
			require.NoError(t, err)
			assertArrived(t, options, file)
			assert.Contains(t, said.Text(), c.says)
			assert.GreaterOrEqual(t, p.sent.Load(), c.least)
			assert.LessOrEqual(t, p.sent.Load(), c.most)
		})
	}
}

func TestABrokenConnectionIsMadeAgain(t *testing.T) {
	s := startServer(t, launch{})
	p := startProxy(t, s.address, fault{after: 4 << 20}, fault{after: 1000}, fault{after: 1500}, fault{after: 6 << 20})
	options, file, said := s.optionsFor(t, p.address), image(t, imageSize), &recordertest.Lines{}
	_, err := quick(options).Send(t.Context(), file, said.Say)
	require.NoError(t, err)
	assertArrived(t, options, file)
	assert.Contains(t, said.Text(), "trying again in 1ms (failure 3 of 5)")
	assert.Contains(t, said.Text(), "continuing after")
	assert.NotContains(t, said.Text(), "from the start")
	assert.Equal(t, int64(5), p.connections.Load())
	// What was on its way when a connection broke is lost; the server's window bounds it.
	assert.Less(t, p.sent.Load(), int64(imageSize+8<<20))
}

func TestAttemptsAreBounded(t *testing.T) {
	s := startServer(t, launch{})
	faults := []fault{{after: 5 << 20}}
	for range 20 {
		faults = append(faults, fault{after: 1000})
	}
	p := startProxy(t, s.address, faults...)
	options, file, said := s.optionsFor(t, p.address), image(t, imageSize), &recordertest.Lines{}
	_, err := quick(options).Send(t.Context(), file, said.Say)
	require.ErrorContains(t, err, "of it stay as ")
	assert.ErrorContains(t, err, "of it stay as "+filepath.Join(options.Directory, file.Name)+".part): sending failed 5 times, at last: connect to ")
	assert.Equal(t, int64(5), p.connections.Load())
	assert.Equal(t, []string{file.Name + ".part"}, names(t, options.Directory))
}

func TestCancelEndsAtOnceAndKeepsThePart(t *testing.T) {
	s := startServer(t, launch{})
	p := startProxy(t, s.address, fault{after: 5 << 20, stall: true})
	options, file, said := s.optionsFor(t, p.address), image(t, imageSize), &recordertest.Lines{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := New(options).Send(ctx, file, said.Say)
		ended <- err
	}()
	require.Eventually(t, func() bool { return p.sent.Load() == 5<<20 }, 20*time.Second, time.Millisecond)
	cancel()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, context.Canceled)
		assert.ErrorContains(t, err, "upload of "+file.Name+" stopped")
	case <-time.After(10 * time.Second):
		require.Fail(t, "the cancel was not noticed")
	}
	assert.Equal(t, []string{file.Name + ".part"}, names(t, options.Directory))

	_, err := New(options).Send(t.Context(), file, said.Say)
	require.NoError(t, err)
	assertArrived(t, options, file)
	assert.Contains(t, said.Text(), "continuing after")
}

func TestAFileThatChangesIsNotPublished(t *testing.T) {
	s := startServer(t, launch{})
	file := image(t, imageSize)
	file.SHA256 = strings.Repeat("0", 64)
	_, err := New(s.options).Send(t.Context(), file, (&recordertest.Lines{}).Say)
	require.ErrorContains(t, err, "has "+file.Path+" changed meanwhile? The upload is deleted")
	assert.Empty(t, names(t, s.options.Directory))

	require.NoError(t, os.Truncate(file.Path, 1000))
	_, err = New(s.options).Send(t.Context(), file, (&recordertest.Lines{}).Say)
	assert.ErrorContains(t, err, "has become shorter meanwhile")
}

func TestALinkInTheWayIsRefused(t *testing.T) {
	s := startServer(t, launch{})
	file := image(t, 1000)
	victim := filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(victim, []byte("content"), 0o600))
	for _, name := range []string{file.Name, file.Name + ".part"} {
		link := filepath.Join(s.options.Directory, name)
		require.NoError(t, os.Symlink(victim, link))
		_, err := New(s.options).Send(t.Context(), file, (&recordertest.Lines{}).Say)
		assert.ErrorContains(t, err, name+" is there and is not a regular file")
		require.NoError(t, os.Remove(link))
	}
	content, err := os.ReadFile(victim)
	require.NoError(t, err)
	assert.Equal(t, "content", string(content))
}
