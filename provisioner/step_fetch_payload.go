package provisioner

import (
	"context"
	"fmt"
	"os"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/gguf"
)

// payload are the local files to bake in.
type payload struct {
	localAI, backend, model string
	// packed is an archive made for this run out of a backend directory.
	packed string
}

func (p payload) discard() {
	if p.packed != "" {
		os.Remove(p.packed)
	}
}

func (b *bake) fetchPayload(ctx context.Context) (err error) {
	c := b.config
	localAI, err := b.fetcher.Fetch(ctx, fetch.Payload{Field: "localai", Source: c.LocalAI.Source, Checksum: c.LocalAI.Checksum})
	if err != nil {
		return err
	}
	b.payload.localAI = localAI.Path
	if b.payload.backend, err = b.fetchBackend(ctx); err != nil {
		return err
	}
	model, err := b.fetcher.Fetch(ctx, fetch.Payload{Field: "model", Source: c.Model.Source, Checksum: c.Model.Checksum})
	if err != nil {
		return err
	}
	b.payload.model = model.Path
	return checkModel(b.payload.model)
}

func (b *bake) fetchBackend(ctx context.Context) (string, error) {
	c := b.config.Backend
	if info, err := os.Stat(c.Source); err == nil && info.IsDir() {
		if c.Checksum != "" && c.Checksum != fetch.Unchecked {
			return "", fmt.Errorf("backend.checksum: %s is a directory and has no checksum: remove the attribute", c.Source)
		}
		return b.packBackend(ctx)
	}
	if c.Checksum == "" {
		return "", fmt.Errorf("backend.source: %s is not a directory, and only a directory needs no backend.checksum", c.Source)
	}
	file, err := b.fetcher.Fetch(ctx, fetch.Payload{Field: "backend", Source: c.Source, Checksum: c.Checksum})
	return file.Path, err
}

// packBackend makes one file of the directory, because one file can be verified when it
// has arrived on the machine.
func (b *bake) packBackend(ctx context.Context) (string, error) {
	if err := os.MkdirAll(b.cacheDir, 0o755); err != nil {
		return "", fmt.Errorf("create the cache directory: %w", err)
	}
	file, err := os.CreateTemp(b.cacheDir, "backend-*.tar")
	if err != nil {
		return "", err
	}
	b.payload.packed = file.Name()
	defer file.Close()
	if err := packDirectory(ctx, b.config.Backend.Source, file); err != nil {
		return "", fmt.Errorf("backend.source: %w", err)
	}
	return file.Name(), file.Close()
}

// checkModel finds a saved web page or a half copy before an hour goes into it.
func checkModel(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("model.source: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("model.source: %w", err)
	}
	if _, err := gguf.Read(file, info.Size()); err != nil {
		return fmt.Errorf("model.source: %s: %w", path, err)
	}
	return nil
}
