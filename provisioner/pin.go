package provisioner

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
)

// The names of the payload blocks.
const (
	fieldLocalAI        = "localai"
	fieldBackend        = "backend"
	fieldModel          = "model"
	fieldOtherModel     = "other_model"
	fieldContextPackage = "context_package"
)

// payloadBlock holds what the template says about one payload.
type payloadBlock struct {
	field, kind             string
	source, checksum, token string
	// id and license are those of a model.
	id, license string
}

// payloads returns the blocks that this bake needs.
func (c *Config) payloads() []payloadBlock {
	blocks := []payloadBlock{
		{fieldLocalAI, lockfile.KindLocalAI, c.LocalAI.Source, c.LocalAI.Checksum, "", "", ""},
		{fieldBackend, lockfile.KindBackend, c.Backend.Source, c.Backend.Checksum, c.Backend.Token, "", ""},
	}
	for _, m := range c.models() {
		blocks = append(blocks, payloadBlock{m.field, lockfile.KindModel, m.Source, m.Checksum, m.Token, m.ID, m.License})
	}
	if c.Context == appliance.OneContext {
		blocks = append(blocks, payloadBlock{fieldContextPackage, lockfile.KindContextPackage, c.ContextPackage.Source, c.ContextPackage.Checksum, "", "", ""})
	}
	return blocks
}

// modelBlock is a block with a model, and its name for messages.
type modelBlock struct {
	field string
	*Model
}

// models returns the blocks with models, that of the default model first.
func (c *Config) models() []modelBlock {
	blocks := []modelBlock{{fieldModel, &c.Model}}
	for i := range c.OtherModels {
		blocks = append(blocks, modelBlock{fmt.Sprintf("%s[%d]", fieldOtherModel, i), &c.OtherModels[i]})
	}
	return blocks
}

// locked returns what the lock has for a block.
func (c *Config) locked(p payloadBlock, arch string) (lockfile.Input, bool) {
	if p.kind == lockfile.KindModel {
		return c.lock.FindModel(arch, p.source, p.id)
	}
	return c.lock.Find(p.kind, arch, p.source)
}

// pinned is a payload with everything that is known before it is fetched.
type pinned struct {
	field string
	// input includes the expected digest; empty if any content is accepted.
	input lockfile.Input
	// unchecked is set for a local file whose checksum is "none".
	unchecked bool
	token     string
}

// pin combines a block with the lock, for a Go architecture. With arch "", it is enough if
// the lock has the payload for any architecture.
func (c *Config) pin(p payloadBlock, arch string) (pinned, error) {
	locked, found := c.locked(p, arch)
	if p.source == "" && !found {
		named := "one"
		if p.id != "" {
			named = strconv.Quote(p.id)
		}
		err := fmt.Errorf("%s.source: must be set: %s does not name %s%s", p.field, lockfile.Called(c.LockFile), named, forArch(arch))
		if p.field == fieldContextPackage {
			err = fmt.Errorf("%w; the lock in the plugin has a block for it, and context = %q needs none", err, appliance.CloudInit)
		}
		return pinned{}, err
	}
	result := pinned{field: p.field, input: locked, token: p.token}
	if !found {
		result.input = lockfile.Input{Kind: p.kind, Source: p.source}
	}
	wanted := lockfile.Wanted{
		Field: p.field, ChecksumField: p.field + ".checksum", Checksum: p.checksum, Lock: lockfile.Called(c.LockFile),
		AllowUnpinned: c.AllowUnpinned || p.field == fieldBackend && looksLikeDirectory(result.input.Source),
	}
	input, err := wanted.Pin(result.input)
	if err != nil {
		return pinned{}, err
	}
	if input.Digest == fetch.Unchecked {
		input.Digest, result.unchecked = "", true
	}
	if p.kind == lockfile.KindModel {
		input.Name, input.License = p.id, p.license
	}
	result.input = input
	return result, nil
}

func forArch(arch string) string {
	if arch == "" {
		return ""
	}
	return " for " + arch
}

// pinAll pins all payloads for arch; the error lists everything that is missing.
func (c *Config) pinAll(arch string) (map[string]pinned, error) {
	all := map[string]pinned{}
	var mistakes []error
	for _, p := range c.payloads() {
		one, err := c.pin(p, arch)
		if err != nil {
			mistakes = append(mistakes, err)
		}
		all[p.field] = one
	}
	return all, errors.Join(mistakes...)
}

func looksLikeDirectory(source string) bool {
	return !fetch.IsURL(source) && !ociimage.IsReference(source) && !isArchive(source)
}
