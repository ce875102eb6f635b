package provisioner

import (
	"errors"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
)

// The blocks of payloads.
const (
	fieldLocalAI        = "localai"
	fieldBackend        = "backend"
	fieldModel          = "model"
	fieldContextPackage = "context_package"
)

// payloadBlock is what the template says of one payload.
type payloadBlock struct {
	field, kind             string
	source, checksum, token string
}

// payloads are the blocks this bake needs.
func (c *Config) payloads() []payloadBlock {
	blocks := []payloadBlock{
		{fieldLocalAI, lockfile.KindLocalAI, c.LocalAI.Source, c.LocalAI.Checksum, ""},
		{fieldBackend, lockfile.KindBackend, c.Backend.Source, c.Backend.Checksum, c.Backend.Token},
		{fieldModel, lockfile.KindModel, c.Model.Source, c.Model.Checksum, c.Model.Token},
	}
	if c.Context == contextOneContext {
		blocks = append(blocks, payloadBlock{fieldContextPackage, lockfile.KindContextPackage, c.ContextPackage.Source, c.ContextPackage.Checksum, ""})
	}
	return blocks
}

// pinned is a payload with all that is known of it before it is fetched.
type pinned struct {
	field string
	// input has the digest it must have; none if it is taken as it comes.
	input lockfile.Input
	// unchecked is a local file the template takes as it is.
	unchecked bool
	token     string
}

// pin finds what a block means for an architecture of Go's names; for "" it is enough if
// that is known for some architecture.
func (c *Config) pin(p payloadBlock, arch string) (pinned, error) {
	locked, found := c.lock.Find(p.kind, arch, p.source)
	if p.source == "" && !found {
		return pinned{}, fmt.Errorf("%s.source: must be set: %s does not name one%s", p.field, lockfile.Called(c.LockFile), forArch(arch))
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
	result.input = input
	return result, nil
}

func forArch(arch string) string {
	if arch == "" {
		return ""
	}
	return " for " + arch
}

// pinAll knows the architecture, and lists everything that is missing for it.
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
