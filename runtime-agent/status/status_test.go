package status

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 1, time.UTC)

func ready() Status {
	return Status{
		Stage: appliance.BootstrapSuccess, Host: "copilot.example.org",
		Image: &Image{Appliance: "1.0.0", LocalAI: "v4.9.0", Model: "Devstral Small 2 24B", Quantization: "Q4_K_M"},
		Model: "devstral-small-2", ContextSize: 32768, Threads: 16,
		Keys:        []string{"alice", "ci"},
		Certificate: &Certificate{Subject: "CN=copilot.example.org", Issuer: "CN=root", NotAfter: now.AddDate(1, 0, 0), Fingerprint: "AA:BB"},
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	goldentest.Equal(t, path, got, name)
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

func TestTheTimeIsUTCWhateverTheZone(t *testing.T) {
	store := Store{Root: t.TempDir(), Now: func() time.Time { return now.In(time.FixedZone("", 3*60*60)) }}
	require.NoError(t, store.Save(ready()))
	text, err := os.ReadFile(filepath.Join(store.Root, appliance.StatusJSON))
	require.NoError(t, err)
	assert.Contains(t, string(text), `"since": "2026-11-22T12:00:00Z"`)
}

func TestADamagedDocumentIsReported(t *testing.T) {
	store := Store{Root: t.TempDir(), Now: time.Now}
	path := filepath.Join(store.Root, appliance.StatusJSON)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o644))
	_, err := store.Load()
	assert.ErrorContains(t, err, "read "+appliance.StatusJSON)
}

func refused() Status {
	mistakes := []string{`ONEAPP_COPILOT_THREADS: must be a whole number from 0 to 1024, got "many"`, "ONEAPP_COPILOT_DOMAIN: must be a fully qualified host name such as copilot.example.org, got \"" + strings.Repeat("a", 300) + "\""}
	return Status{
		Stage: appliance.ConfigureFailure, Mistakes: mistakes, LastError: strings.Join(mistakes, "\n") + "\nwrite /etc/motd: no space left on device",
		Warnings: []string{"the processor has no AVX2:\nthe model is slow"},
	}
}

func TestRefusedSettingsAreListed(t *testing.T) {
	golden(t, "refused.motd", messageOfTheDay(refused()))
	golden(t, "refused.txt", refused().String())
}

func TestAWarningDoesNotHideThatItIsReady(t *testing.T) {
	s := ready()
	for i := range 12 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("number %d", i))
	}
	text := messageOfTheDay(s)
	assert.Contains(t, text, appliance.ReadyPhrase)
	assert.Contains(t, text, "- warning: number 7\n    - and 4 more\n")
	assert.NotContains(t, text, "number 8")
	assert.Contains(t, s.String(), "number 11")
}

func TestFailure(t *testing.T) {
	assert.Equal(t, "write /etc/motd: no space left on device", refused().Failure())
	assert.Equal(t, "one; two", Status{LastError: "one\n two \n\n"}.Failure())
	assert.Empty(t, Status{}.Failure())
}

// The error names the files that cannot be written, and the others are written.
func TestSaveWhereItCannotWrite(t *testing.T) {
	tests := map[string]struct {
		spoiled string
		written []string
	}{
		"no message of the day": {appliance.MOTDFile, []string{appliance.StatusJSON, appliance.StatusFile}},
		"no word":               {appliance.StatusFile, []string{appliance.StatusJSON, appliance.MOTDFile}},
		"no document":           {appliance.StatusJSON, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store := Store{Root: t.TempDir(), Now: time.Now}
			spoiled := filepath.Join(store.Root, tt.spoiled)
			require.NoError(t, os.MkdirAll(spoiled, 0o755))
			assert.ErrorContains(t, store.Save(ready()), "write "+spoiled)
			for _, path := range []string{appliance.StatusJSON, appliance.MOTDFile, appliance.StatusFile} {
				info, err := os.Stat(filepath.Join(store.Root, path))
				assert.Equal(t, slices.Contains(tt.written, path), err == nil && info.Mode().IsRegular(), path)
			}
		})
	}
}

func TestSaveWhereNoDirectoryCanBeMade(t *testing.T) {
	store := Store{Root: "/proc", Now: time.Now}
	err := store.Save(ready())
	assert.ErrorContains(t, err, "write /proc"+appliance.StatusJSON)
}

func FuzzMessageOfTheDay(f *testing.F) {
	f.Add("one", "two\x1b[2J")
	f.Add(appliance.ReadyPhrase, "All set andAll set and ready to serve ready\nto serve")
	f.Fuzz(func(t *testing.T, mistake, warning string) {
		text := messageOfTheDay(Status{Stage: appliance.ConfigureFailure, Mistakes: []string{mistake}, Warnings: []string{warning}})
		assert.NotContains(t, text, appliance.ReadyPhrase)
		lines := strings.Split(text, "\n")
		assert.Len(t, lines, 10)
		for _, line := range lines {
			assert.LessOrEqual(t, utf8.RuneCountInString(line), maxNote+6)
			assert.NotContains(t, line, "\x1b")
		}
	})
}

// OpenNebula's tests look for the phrase, so only a machine that is ready may show it.
func TestOnlyAReadyMachineShowsThePhrase(t *testing.T) {
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

// Everybody may read the document.
func TestWhatIsStoredHasNoCredentialsAndNoLongLines(t *testing.T) {
	store := Store{Root: t.TempDir(), Now: func() time.Time { return now }}
	s := ready()
	s.Warnings = []string{"ask https://ops:hush@ca.example.org/dir: refused", strings.Repeat("long ", 1000)}
	s.Mistakes = []string{`got "http://hush@proxy"`}
	s.LastError = "one https://a:hush@b\ntwo https://ca.example.org/dir"
	require.NoError(t, store.Save(s))
	text, err := os.ReadFile(filepath.Join(store.Root, appliance.StatusJSON))
	require.NoError(t, err)
	assert.NotContains(t, string(text), "hush")
	stored, err := store.Load()
	require.NoError(t, err)
	assert.Equal(t, "ask https://***@ca.example.org/dir: refused", stored.Warnings[0])
	assert.Len(t, stored.Warnings[1], maxLine+len("..."))
	assert.Equal(t, "one https://***@b\ntwo https://ca.example.org/dir", stored.LastError)
	assert.Contains(t, s.Warnings[0], "hush", "the caller's status is its own")
}

func TestACertificateCannotControlTheTerminal(t *testing.T) {
	s := ready()
	s.Certificate.Subject, s.Certificate.Issuer = "CN=\x1b]0;owned\a", "CN=a\nstage: bootstrap_success"
	assert.NotContains(t, s.String(), "\x1b")
	assert.NotContains(t, s.String(), "\nstage: bootstrap_success")
}
