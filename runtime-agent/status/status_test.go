package status

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 11, 22, 12, 0, 0, 1, time.UTC)

func ready() Status {
	return Status{
		Stage: appliance.BootstrapSuccess, Host: "copilot.example.org", Model: "devstral-small-2", ContextSize: 32768, Threads: 16,
		Certificate: &Certificate{Subject: "CN=copilot.example.org", Issuer: "CN=root", NotAfter: now.AddDate(1, 0, 0), Fingerprint: "AA:BB"},
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, name)
}

func TestSave(t *testing.T) {
	store := Store{Root: t.TempDir(), Now: func() time.Time { return now }}
	none, err := store.Load()
	require.NoError(t, err)
	assert.Equal(t, Status{}, none)

	require.NoError(t, store.Save(ready()))
	for path, name := range map[string]string{
		appliance.StatusFile: "status", appliance.StatusJSON: "status.json", appliance.MOTDFile: "motd",
	} {
		path = filepath.Join(store.Root, path)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		golden(t, name, string(content))
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o644), info.Mode())
	}
	loaded, err := store.Load()
	require.NoError(t, err)
	want := ready()
	want.Since = now.Truncate(time.Second)
	assert.Equal(t, want, loaded)
	golden(t, "status.txt", loaded.String())
}

func TestADamagedDocumentIsReported(t *testing.T) {
	store := Store{Root: t.TempDir(), Now: time.Now}
	path := filepath.Join(store.Root, appliance.StatusJSON)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o644))
	_, err := store.Load()
	assert.ErrorContains(t, err, "read "+appliance.StatusJSON)
}

// OpenNebula's tests look for the phrase, so only a machine that is ready may say it.
func TestOnlyReadySaysSo(t *testing.T) {
	for _, stage := range []string{
		"", appliance.InstallSuccess, appliance.ConfigureStarted, appliance.ConfigureSuccess, appliance.ConfigureFailure,
		appliance.BootstrapStarted, appliance.BootstrapSuccess, appliance.BootstrapFailure,
	} {
		s := Status{Stage: stage, LastError: "something"}
		assert.Equal(t, stage == appliance.BootstrapSuccess, s.Ready(), stage)
		if s.Ready() {
			assert.Contains(t, messageOfTheDay(s), appliance.ReadyPhrase)
		} else {
			assert.NotContains(t, messageOfTheDay(s), appliance.ReadyPhrase)
		}
		if stage != "" {
			assert.Contains(t, s.String(), "something")
		}
	}
}
