package provisioner

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// backendArchive is where the archive is uploaded. It is not in /tmp, which may be in
// memory.
const backendArchive = "/var/tmp/slm-copilot-backend.tar"

func (b *bake) installLocalAI(ctx context.Context) error {
	return b.uploadFile(ctx, "LocalAI", b.payload.localAI, appliance.LocalAIBinary, 0o755)
}

func (b *bake) installBackend(ctx context.Context) error {
	if err := b.uploadFile(ctx, "the backend", b.payload.backend, backendArchive, 0o600); err != nil {
		return err
	}
	env := remote.Env{
		"ARCHIVE": backendArchive,
		"DEST":    appliance.BackendsDir + "/" + appliance.BackendName,
		"ENTRY":   entryPoint,
	}
	_, err := b.script(ctx, "unpack_backend", env, 30*time.Minute, nil)
	return err
}

func (b *bake) uploadFile(ctx context.Context, what string, local fetch.File, path string, mode fs.FileMode) error {
	file, err := os.Open(local.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	return b.uploadContent(ctx, what, local, file, path, mode)
}

// uploadContent does nothing if an earlier run has already uploaded the file.
func (b *bake) uploadContent(ctx context.Context, what string, local fetch.File, content io.ReaderAt, path string, mode fs.FileMode) error {
	if there, err := b.isThere(ctx, what, local, path, mode); there || err != nil {
		return err
	}
	meter := progress.Lines("upload "+what, local.Size, b.say)
	return b.machine.Upload(ctx, remote.File{Content: content, Size: local.Size, Path: path, Mode: mode}, meter)
}

func (b *bake) isThere(ctx context.Context, what string, local fetch.File, path string, mode fs.FileMode) (bool, error) {
	env := remote.Env{
		"FILE": path, "SIZE": strconv.FormatInt(local.Size, 10), "SUM": local.SHA256, "MODE": fmt.Sprintf("%04o", mode),
	}
	text, err := b.script(ctx, "is_there", env, modelTimeout, nil)
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", path, err)
	}
	there := strings.TrimSpace(text) == "there"
	if there {
		b.say(what + " is there already")
	}
	return there, nil
}
