package builder

import (
	"context"
	"errors"
	"io"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// quiet is a user interface that nobody looks at.
func quiet() packersdk.Ui {
	return &packersdk.BasicUi{Reader: nil, Writer: io.Discard, ErrorWriter: io.Discard}
}

// recorder is the hook of the provisioners.
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

// harmless answers both scripts without touching this host.
const harmless = `printf 'debian\n12\nx86_64\n'`

func TestHookReadsTheGuestOffersDataAndTidies(t *testing.T) {
	comm, next, own := &shell{replace: harmless}, &recorder{}, quiet()
	b := newBuild(decoded(t, map[string]any{"base_image": "debian-12", "accelerator": "tcg", "image_version": "3.0"}))
	hook := &provisionHook{build: b, next: next, ui: own}
	require.NoError(t, hook.Run(context.Background(), packersdk.HookProvision, newWatcher(own), comm, map[string]any{"ID": "x"}))

	assert.Equal(t, guest{"debian", "12", "x86_64"}, b.guest)
	assert.Equal(t, map[string]any{
		"ID": "x", "Accelerator": "tcg", "BaseImage": "debian-12", "ImageName": "slm-copilot", "ImageVersion": "3.0",
	}, next.data)
	assert.Same(t, own, next.ui, "what provisioners write to stderr is not taken for an error of the machine")
	require.Len(t, comm.scripts, 2)
	assert.Contains(t, comm.scripts[0], settleScript)
	assert.Contains(t, comm.scripts[1], tidyScript)
}

func TestHookDoesNotTidyAfterAFailure(t *testing.T) {
	comm, broken := &shell{replace: harmless}, errors.New("no space left")
	hook := &provisionHook{build: newBuild(new(Config)), next: &recorder{err: broken}, ui: quiet()}
	err := hook.Run(context.Background(), packersdk.HookProvision, quiet(), comm, map[string]any{})
	assert.ErrorIs(t, err, broken)
	assert.Len(t, comm.scripts, 1)
}

func TestHookReportsAFailedTidy(t *testing.T) {
	comm := &failingSecond{shell: shell{replace: harmless}}
	hook := &provisionHook{build: newBuild(new(Config)), next: new(recorder), ui: quiet()}
	err := hook.Run(context.Background(), packersdk.HookProvision, quiet(), comm, map[string]any{})
	assert.ErrorContains(t, err, "remove the traces of the build: the guest's shell ended with status 1\nfstrim: cannot")
}

type failingSecond struct{ shell }

func (f *failingSecond) Start(ctx context.Context, cmd *packersdk.RemoteCmd) error {
	if len(f.scripts) == 1 {
		f.replace = "echo fstrim: cannot >&2; exit 1"
	}
	return f.shell.Start(ctx, cmd)
}

func TestOtherHooksPassThrough(t *testing.T) {
	comm, next := new(shell), new(recorder)
	hook := &provisionHook{build: newBuild(new(Config)), next: next, ui: quiet()}
	require.NoError(t, hook.Run(context.Background(), packersdk.HookCleanupProvision, quiet(), comm, nil))
	assert.Equal(t, []string{packersdk.HookCleanupProvision}, next.names)
	assert.Empty(t, comm.scripts)
}
