package provisioner

import (
	"context"
	"io/fs"
	"os"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remote"
)

// backendArchive is where the backend waits to be unpacked. /tmp may be in memory.
const backendArchive = "/var/tmp/slm-copilot-backend.tar"

func (b *bake) installLocalAI(ctx context.Context) error {
	return b.uploadFile(ctx, "upload LocalAI", b.payload.localAI, appliance.LocalAIBinary, 0o755)
}

func (b *bake) installModel(ctx context.Context) error {
	return b.uploadFile(ctx, "upload the model", b.payload.model, appliance.ModelsDir+"/"+appliance.ModelFile, 0o644)
}

func (b *bake) installBackend(ctx context.Context) error {
	if err := b.uploadFile(ctx, "upload the backend", b.payload.backend, backendArchive, 0o600); err != nil {
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

func (b *bake) uploadFile(ctx context.Context, label, source, path string, mode fs.FileMode) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	meter := progress.Lines(label, info.Size(), b.say)
	return b.machine.Upload(ctx, remote.File{Content: file, Size: info.Size(), Path: path, Mode: mode}, meter)
}
