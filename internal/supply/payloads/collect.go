package payloads

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
)

// Collect downloads every input of the lock for an architecture, "" for all of them, to the
// cache and returns their total size in bytes. It starts only if all are pinned. The error
// lists every input that is not pinned or that failed; the downloaded ones stay.
func (t *Tools) Collect(ctx context.Context, lock lockfile.Lock, arch string) (int64, error) {
	wanted, err := pinned(lock, arch)
	if err != nil {
		return 0, err
	}
	var failed []error
	var size int64
	for _, input := range wanted {
		t.Say(fmt.Sprintf("%s: %s", input, input.Source))
		n, err := t.bring(ctx, input, arch)
		size += n
		if ctx.Err() != nil {
			return 0, errors.Join(append(failed, fmt.Errorf("stopped at %s: %w", input, context.Cause(ctx)))...)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", input, err))
		}
	}
	return size, errors.Join(failed...)
}

// pinned returns the inputs for an architecture, or an error if any of them has no digest.
func pinned(lock lockfile.Lock, arch string) ([]lockfile.Input, error) {
	var wanted []lockfile.Input
	var missing []error
	for _, input := range lock.Inputs {
		if arch != "" && input.Arch != "" && input.Arch != arch {
			continue
		}
		wanted = append(wanted, input)
		if input.Digest == "" {
			missing = append(missing, fmt.Errorf("%s is not pinned: run `make lock`", input))
		}
	}
	switch {
	case len(lock.Inputs) == 0:
		missing = append(missing, errors.New("the lock file is empty"))
	case len(wanted) == 0:
		missing = append(missing, fmt.Errorf("the lock file has nothing for %s", arch))
	}
	return wanted, errors.Join(missing...)
}

// bring downloads one input and returns its size in the cache.
func (t *Tools) bring(ctx context.Context, input lockfile.Input, arch string) (int64, error) {
	token := t.Token(input.Kind)
	if !ociimage.IsReference(input.Source) {
		file, err := t.Fetcher.Fetch(ctx, fetch.Payload{
			Field: input.Kind, Source: input.Source, Checksum: input.Digest, Size: input.Size, Token: token,
		})
		return file.Size, err
	}
	var size int64
	for _, one := range serves(cmp.Or(input.Arch, arch)) {
		image, err := t.Puller.Pull(ctx, ociimage.Request{
			Field: input.Kind, Source: input.Source, Digest: input.Digest, Arch: one, Token: token,
		})
		if err != nil {
			return size, err
		}
		size += image.Size()
	}
	return size, nil
}
