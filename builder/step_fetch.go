package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/filekind"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/weights"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// stepFetch downloads the base image and the weights into the cache that the provisioner
// uses too. They stay there for the next build, partial downloads included.
type stepFetch struct{ *build }

func (s *stepFetch) Run(ctx context.Context) error {
	cache, err := packersdk.CachePath(appliance.Name)
	if err != nil {
		return fmt.Errorf("find the cache of downloads: %w", err)
	}
	fetcher := fetch.New(cache, s.ui.Say)
	if err := s.fetchBase(ctx, fetcher, s.ui.Say); err != nil {
		return inTheTemplatesWords(err)
	}
	return s.fetchModels(ctx, fetcher)
}

func (s *stepFetch) fetchBase(ctx context.Context, fetcher *fetch.Fetcher, say func(string)) error {
	input, err := s.config.pinBase()
	if err != nil {
		return err
	}
	var published publishedSum
	if listed, known := catalogue[s.config.BaseImage]; known && input.Digest == "" {
		if published, err = readPublished(ctx, listed.list(input.Source), filepath.Base(input.Source)); err != nil {
			return err
		}
		input.Digest = published.pin()
	}
	file, err := fetcher.Fetch(ctx, payload(fieldBase, input))
	if err != nil {
		return err
	}
	if published != (publishedSum{}) {
		if err := published.check(ctx, file.Path, say); err != nil {
			return err
		}
		say(fmt.Sprintf("Warning: base_image: %s is pinned by nothing but its publisher's list of today; it has sha256:%s, which `make lock` keeps",
			input.Source, file.SHA256))
	}
	s.base, s.baseInput = file.Path, complete(input, file)
	return checkBase(ctx, file.Path, input.Source, s.config)
}

// fetchModels gives the machine the memory that the model of the block "model" wants, the only one
// that is loaded in it.
func (s *stepFetch) fetchModels(ctx context.Context, fetcher *fetch.Fetcher) error {
	for _, m := range s.config.models() {
		file, input, err := s.fetchModel(ctx, fetcher, m)
		if err != nil {
			return err
		}
		header, err := weights.Read(file.Path)
		if err != nil {
			return fmt.Errorf("%s.source: %w", m.field, filekind.Instead(fmt.Errorf("%s: %w", input.Source, err), file.Path, input.Source))
		}
		if m.field != fieldModel {
			s.others = append(s.others, otherModel{onDisk(appliance.OtherModelFile(m.ID), file), input})
			continue
		}
		s.weights, s.modelInput = file, input
		if err := s.settleMemory(header); err != nil {
			return err
		}
	}
	return nil
}

func (s *stepFetch) fetchModel(ctx context.Context, fetcher *fetch.Fetcher, m modelBlock) (fetch.File, lockfile.Input, error) {
	input, err := s.config.pinModel(m)
	if err != nil {
		return fetch.File{}, input, err
	}
	wanted := payload(m.field, input)
	wanted.Token = m.Token
	file, err := fetcher.Fetch(ctx, wanted)
	if err != nil {
		return fetch.File{}, input, err
	}
	file.Path, err = filepath.Abs(file.Path)
	return file, complete(input, file), err
}

func payload(field string, input lockfile.Input) fetch.Payload {
	return fetch.Payload{Field: field, Source: input.Source, Checksum: input.Digest, Size: input.Size}
}

// complete adds the digest and size of the fetched file. The source gets published, so
// secrets and local paths are removed from it.
func complete(input lockfile.Input, file fetch.File) lockfile.Input {
	input.Source, input.Digest, input.Size = sourceuri.Shown(input.Source), digest.SHA256Prefix+file.SHA256, file.Size
	input.Name = cmp.Or(input.Name, filepath.Base(input.Source))
	return input
}

// checkBase reports what makes a file unusable as a base image.
func checkBase(ctx context.Context, path, source string, config *Config) error {
	info, err := qemuimg.Inspect(path)
	if errors.Is(err, qemuimg.ErrNotQCOW2) {
		return notQCOW2(path, sourceuri.Shown(source))
	}
	if err != nil {
		return fmt.Errorf("base_image: %w", err)
	}
	var unfit []error
	if size := config.diskBytes(); size < info.VirtualSize {
		unfit = append(unfit, fmt.Errorf("disk_size: %s is less than the disk of the base image (%s); disks only grow",
			config.DiskSize, progress.Bytes(info.VirtualSize)))
	}
	if err := info.Standalone(); err != nil {
		unfit = append(unfit, fmt.Errorf("base_image: %s: %w", sourceuri.Shown(source), err))
	} else if err := qemuimg.Check(ctx, path); err != nil {
		unfit = append(unfit, fmt.Errorf("base_image: %w", err))
	}
	return errors.Join(unfit...)
}

func notQCOW2(path, name string) error {
	kind, err := filekind.Of(path)
	if err != nil {
		return fmt.Errorf("base_image: %w", err)
	}
	if kind.Known() {
		return fmt.Errorf("base_image: %s", kind.Explain(name))
	}
	return fmt.Errorf("base_image: %s is not a QCOW2 image, and nothing in it tells what it is: use a cloud image in QCOW2", name)
}

// inTheTemplatesWords renames the fields in an error: base_image is an attribute, not a
// block.
func inTheTemplatesWords(err error) error {
	return renamed{err}
}

type renamed struct{ error }

var baseFields = strings.NewReplacer("base_image.source:", "base_image:", "base_image.checksum:", "base_image_checksum:")

func (r renamed) Error() string { return baseFields.Replace(r.error.Error()) }
func (r renamed) Unwrap() error { return r.error }
