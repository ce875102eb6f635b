package catalog

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASecondRunWaitsForTheFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	imgs := []image{newImage(t, t.TempDir(), 10), newImage(t, t.TempDir(), 10)}
	first := open(t, dir)

	waiting, opened := make(chan string, 10), make(chan *Catalog, 1)
	go func() {
		second, err := Open(context.Background(), dir, first.base, func(line string) { waiting <- line })
		assert.NoError(t, err)
		opened <- second
	}()
	assert.Contains(t, <-waiting, "waiting for another run that is publishing into "+dir)
	entry := newEntry(t, first, "1.0.0", imgs[0])
	require.NoError(t, first.PlaceImage(t.Context(), entry, imgs[0].path, 10, nil))
	require.NoError(t, first.WriteApp(entry))
	require.NoError(t, first.Publish([]Entry{entry}, Options{}))
	require.Empty(t, opened, "the second run does not get in while the first is at work")
	require.NoError(t, first.Close())

	second := <-opened
	require.NotNil(t, second)
	assert.Equal(t, []string{"SLM-Copilot 1.0.0"}, names(second.list), "it read the list after the first had written it")
	require.NoError(t, second.Close())
	assert.NoFileExists(t, filepath.Join(dir, lockName))
}

// A run that ends unused removes the directory under the one that waits for it.
func TestAWaitingRunSurvivesThatTheDirectoryGoes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	first := open(t, dir)
	waiting, opened := make(chan string, 10), make(chan *Catalog, 1)
	go func() {
		second, err := Open(context.Background(), dir, first.base, func(line string) { waiting <- line })
		assert.NoError(t, err)
		opened <- second
	}()
	<-waiting
	require.NoError(t, first.Close())
	second := <-opened
	require.NotNil(t, second)
	assert.FileExists(t, filepath.Join(dir, lockName))
	require.NoError(t, second.Close())
	assert.NoDirExists(t, dir)
}

func TestAWaitingRunStopsWithItsContext(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	first := open(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Open(ctx, dir, first.base, func(string) { cancel() })
	assert.ErrorIs(t, err, context.Canceled)
	require.NoError(t, first.Close())
}

func TestALockFileOfAKilledRunHoldsUpNobody(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, lockName), nil, 0o600))
	c, err := Open(t.Context(), dir, baseURL(t, "http://h"), func(line string) { t.Error(line) })
	require.NoError(t, err)
	require.NoError(t, c.Close())
}
