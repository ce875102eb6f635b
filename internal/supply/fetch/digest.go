package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

func (f *Fetcher) digestFile(ctx context.Context, label, path string) (File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return File{}, err
	}
	meter := f.Meter(label, info.Size())
	sum := sha256.New()
	size, err := digest.Sum(ctx, path, meter, sum)
	if err != nil {
		return File{}, err
	}
	meter.Finish()
	return File{Path: path, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: size}, nil
}
