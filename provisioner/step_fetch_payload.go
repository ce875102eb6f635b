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
	context, localAI, backend fetch.File
	// models begins with the default model.
	models []*bakedModel
	// packed is the path of a temporary archive of the backend.
	packed string
	// inputs describes these files; the digests are computed from them, not expected.
	inputs lockfile.Lock
	// packages is the package directory, if one is configured.
	packages packageDirectory
}

// bakedModel is a model to bake in.
type bakedModel struct {
	modelBlock
	file fetch.File
	// licenseText is that of its licence, empty if it is not known.
	licenseText string
	// described is what the agent learns of it.
	described appliance.BakedModel
}

func (m *bakedModel) isDefault() bool { return m.field == fieldModel }

// called names the model in messages.
func (m *bakedModel) called() string { return "the model " + m.ID }

func (p payload) discard() {
	if p.packed != "" {
		os.Remove(p.packed)
	}
}

// fetchPayload downloads and checks everything on this host before the long work on the
// machine begins. The small downloads come first.
func (b *bake) fetchPayload(ctx context.Context) (err error) {
	for _, block := range b.config.models() {
		text, err := b.readLicense(block)
		if err != nil {
			return err
		}
		b.payload.models = append(b.payload.models, &bakedModel{modelBlock: block, licenseText: text})
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
	for _, m := range b.payload.models {
		if m.file, err = b.fetch(ctx, m.field); err != nil {
			return err
		}
		if err := b.describeModel(m); err != nil {
			return err
		}
	}
	return nil
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
	case lockfile.KindContextPackage:
		input.Name = cmp.Or(input.Name, appliance.OneContext)
	}
	b.payload.inputs.Put(input)
}
