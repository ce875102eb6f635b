package modeldisk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
)

// TryOut creates the disk of a model of a few bytes, to check that the tools work here.
func TryOut(ctx context.Context, directory string) error {
	content := []byte("weights\n")
	sum := sha256.Sum256(content)
	weights := Weights{Name: "model.gguf", Path: filepath.Join(directory, "weights"), SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content))}
	err := os.WriteFile(weights.Path, content, 0o600)
	if err == nil {
		err = Write(ctx, []Weights{weights}, filepath.Join(directory, "model.qcow2"), func(string) {})
	}
	if err != nil {
		return hostprogram.Failed(ctx, "making a model disk", err, mke2fs, "-V", distributionPackage)
	}
	return nil
}
