package builder

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/shell"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// quiet returns a Ui that discards its output.
func quiet() packersdk.Ui {
	return &packersdk.BasicUi{Reader: nil, Writer: io.Discard, ErrorWriter: io.Discard}
}

// recorder is a hook that records its calls, in place of the provisioners.
type recorder struct {
	names []string
	data  any
	ui    packersdk.Ui
	err   error
}

func (r *recorder) Run(_ context.Context, name string, ui packersdk.Ui, _ packersdk.Communicator, data any) error {
	r.names, r.data, r.ui = append(r.names, name), data, ui
	return r.err
}

// guestWith answers the scripts of the hook without running them. The guest has the given
// files.
func guestWith(files map[string]string) *hostShell {
	return &hostShell{instead: func(command string) string {
		switch {
		case runs(command, settleScript):
			return `printf 'debian\n12\nx86_64\n'`
		case runs(command, tidyScript):
			return "echo '/: 1 GiB trimmed'"
		}
		for path, content := range files {
			if strings.Contains(command, "FILE="+shell.Quote(path)+" ") {
				return "cat <<'END'\n" + content + "END\n"
			}
		}
		return ""
	}}
}

func runs(command, script string) bool { return strings.Contains(command, shell.Quote(script)) }

func runHook(t *testing.T, b *build, comm packersdk.Communicator, next packersdk.Hook, data map[string]any) (said string, err error) {
	t.Helper()
	var shown bytes.Buffer
	ui := &packersdk.BasicUi{Writer: &shown, ErrorWriter: &shown}
	b.ui = ui
	err = (&provisionHook{build: b, next: next}).Run(context.Background(), packersdk.HookProvision, newWatcher(ui, b), comm, data)
	return shown.String(), err
}

func TestHookReadsTheGuestOffersDataAndTidies(t *testing.T) {
	comm, next, own := guestWith(nil), &recorder{}, quiet()
	b := newBuild(decoded(t, map[string]any{
		"base_image": "debian-12", "allow_unpinned": true, "accelerator": "tcg", "image_version": "3.0",
	}), quiet())
	b.ui, b.baseInput = own, someInput
	hook := &provisionHook{build: b, next: next}
	require.NoError(t, hook.Run(context.Background(), packersdk.HookProvision, newWatcher(own, b), comm, map[string]any{"ID": "x"}))

	assert.Equal(t, guest{"debian", "12", "x86_64"}, b.guest)
	assert.False(t, b.baked.there())
	assert.Equal(t, map[string]any{
		"ID": "x", "Accelerator": "tcg", "BaseImage": "debian-12", "ImageName": "slm-copilot", "ImageVersion": "3.0",
		"BaseImageSource": "base.qcow2", "BaseImageDigest": someChecksum, "BaseImageSize": "7",
	}, next.data)
	assert.Same(t, own, next.ui, "what provisioners write to stderr is not taken for an error of the machine")
	require.Len(t, comm.commands, 3)
	assert.True(t, runs(comm.commands[0], settleScript))
	assert.Contains(t, comm.commands[1], appliance.BakedLock)
	assert.True(t, runs(comm.commands[2], tidyScript))
}

func TestHookTellsWhatWasTrimmed(t *testing.T) {
	said, err := runHook(t, newBuild(new(Config), quiet()), guestWith(nil), new(recorder), map[string]any{})
	require.NoError(t, err)
	assert.Contains(t, said, "Trimmed /: 1 GiB trimmed")
}

func TestHookBringsBackWhatWasBaked(t *testing.T) {
	lock := string(lockfile.Lock{Inputs: locked()}.Encode())
	b := newBuild(new(Config), quiet())
	description := `{"model_id": "devstral-small-2", "memory_mib": 32768}` + "\n"
	_, err := runHook(t, b, guestWith(map[string]string{
		appliance.BakedLock: lock, appliance.BakedFile: description, appliance.BakedSBOM: "{}\n",
		appliance.BakedLicenses: "MIT\n",
	}), new(recorder), map[string]any{})
	require.NoError(t, err)
	assert.True(t, b.baked.there())
	assert.Equal(t, lock, b.baked.lockText)
	assert.Equal(t, "{}\n", b.baked.sbom)
	assert.Equal(t, "MIT\n", b.baked.licenses)
	assert.Len(t, b.baked.lock.Inputs, len(locked()))
	assert.Equal(t, appliance.Baked{BakedModel: appliance.BakedModel{ModelID: "devstral-small-2", MemoryMiB: 32768}}, b.baked.description)
}

func TestHookRefusesWhatIsNoInventory(t *testing.T) {
	lock := string(lockfile.Lock{Inputs: locked()}.Encode())
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"a damaged lock": {map[string]string{appliance.BakedLock: "nonsense\n", appliance.BakedSBOM: "{}\n"}, "slm-copilot.lock.hcl:1: "},
		"no description": {map[string]string{appliance.BakedLock: lock}, "baked.json is missing or damaged"},
		"no SBOM":        {map[string]string{appliance.BakedLock: lock, appliance.BakedFile: "{}\n"}, "sbom.spdx.json is missing or no JSON"},
		"a damaged SBOM": {map[string]string{appliance.BakedLock: lock, appliance.BakedFile: "{}\n", appliance.BakedSBOM: "{\n"}, "sbom.spdx.json is missing or no JSON"},
		"no licences":    {map[string]string{appliance.BakedLock: lock, appliance.BakedFile: "{}\n", appliance.BakedSBOM: "{}\n"}, "licenses.txt is missing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := runHook(t, newBuild(new(Config), quiet()), guestWith(test.files), new(recorder), map[string]any{})
			assert.ErrorContains(t, err, "what the provisioner left in the machine: ")
			assert.ErrorContains(t, err, test.want)
		})
	}
}

// Runs the real shell on a missing file, and on one that is small enough or too large.
func TestReadFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	text, err := readFile(t.Context(), remote.NewMachine(new(hostShell)), path, 5)
	require.NoError(t, err)
	assert.Empty(t, text)
	require.NoError(t, os.WriteFile(path, []byte("12345"), 0o600))
	text, err = readFile(t.Context(), remote.NewMachine(new(hostShell)), path, 5)
	require.NoError(t, err)
	assert.Equal(t, "12345", text)
	_, err = readFile(t.Context(), remote.NewMachine(new(hostShell)), path, 4)
	assert.ErrorContains(t, err, "it has more than 4 bytes")
}

func TestHookDoesNotTidyAfterAFailure(t *testing.T) {
	comm, broken := guestWith(nil), errors.New("no space left")
	_, err := runHook(t, newBuild(new(Config), quiet()), comm, &recorder{err: broken}, map[string]any{})
	assert.ErrorIs(t, err, broken)
	assert.Len(t, comm.commands, 1)
}

func TestHookReportsAFailedTidy(t *testing.T) {
	comm := guestWith(nil)
	good := comm.instead
	comm.instead = func(command string) string {
		if runs(command, tidyScript) {
			return "echo fstrim: cannot >&2; exit 1"
		}
		return good(command)
	}
	_, err := runHook(t, newBuild(new(Config), quiet()), comm, new(recorder), map[string]any{})
	assert.ErrorContains(t, err, "remove the traces of the build: exit status 1:\n  fstrim: cannot")
}

func TestOtherHooksPassThrough(t *testing.T) {
	comm, next := new(hostShell), new(recorder)
	hook := &provisionHook{build: newBuild(new(Config), quiet()), next: next}
	require.NoError(t, hook.Run(context.Background(), packersdk.HookCleanupProvision, quiet(), comm, nil))
	assert.Equal(t, []string{packersdk.HookCleanupProvision}, next.names)
	assert.Empty(t, comm.commands)
}
