package provisioner

import (
	"cmp"
	"context"
	"os"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// payload holds the local files to bake in.
type payload struct {
	context, localAI, model, backend fetch.File
	// packed is the path of a temporary archive of the backend.
	packed string
	// inputs describes these files; the digests are computed from them, not expected.
	inputs lockfile.Lock
	// license is the text of the model's licence, empty if it is not known.
	license string
	// packages is the package directory, if one is configured.
	packages packageDirectory
}

func (p payload) discard() {
	if p.packed != "" {
		os.Remove(p.packed)
	}
}

// fetchPayload downloads and checks everything on this host before the long work on the
// machine begins. The small downloads come first.
func (b *bake) fetchPayload(ctx context.Context) (err error) {
	if err := b.readLicense(); err != nil {
		return err
	}
	if b.payload.packages, err = readPackageDirectory(ctx, b.config.PackageDirectory); err != nil {
		return err
	}
	if b.config.Context == appliance.OneContext {
		if b.payload.context, err = b.fetch(ctx, fieldContextPackage); err != nil {
			return err
		}
	}
	if b.payload.localAI, err = b.fetch(ctx, fieldLocalAI); err != nil {
		return err
	}
	if err := checkProgram(b.payload.localAI.Path, b.arch); err != nil {
		return err
	}
	if b.payload.backend, err = b.fetchBackend(ctx); err != nil {
		return err
	}
	if b.payload.model, err = b.fetch(ctx, fieldModel); err != nil {
		return err
	}
	b.lookUpModel()
	return b.checkModel()
}

// fetch downloads one payload and records it in the lock that is baked in.
func (b *bake) fetch(ctx context.Context, field string) (fetch.File, error) {
	p := b.pinned[field]
	file, err := b.fetcher.Fetch(ctx, fetch.Payload{
		Field: field, Source: p.input.Source, Checksum: p.checksum(), Size: p.input.Size, Token: p.token,
	})
	if err != nil {
		return fetch.File{}, err
	}
	b.note(p.input, digest.SHA256Prefix+file.SHA256, file.Size)
	return file, nil
}

func (p pinned) checksum() string {
	if p.unchecked {
		return fetch.Unchecked
	}
	return p.input.Digest
}

// note adds an input to the lock that is baked in. It removes local paths and secrets,
// because others can read that lock.
func (b *bake) note(input lockfile.Input, digest string, size int64) {
	input.Digest, input.Size = digest, size
	input.Source = sourceuri.Shown(input.Source)
	switch input.Kind {
	case lockfile.KindLocalAI:
		input.Name, input.Version, input.Arch = cmp.Or(input.Name, "local-ai"), b.config.LocalAI.Version, b.arch
	case lockfile.KindBackend:
		input.Name, input.Arch = cmp.Or(input.Name, "llama-cpp"), b.arch
	case lockfile.KindModel:
		input.Name, input.License = b.config.Model.ID, b.config.Model.License
	case lockfile.KindContextPackage:
		input.Name = cmp.Or(input.Name, appliance.OneContext)
	}
	b.payload.inputs.Put(input)
}
