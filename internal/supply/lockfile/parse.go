package lockfile

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/plainhcl"
)

// Parse parses the content of a lock file, which messages call name. The error lists every
// mistake with its line.
func Parse(name string, content []byte) (Lock, error) {
	file, err := plainhcl.Parse(name, "a lock file", content)
	if err != nil {
		return Lock{}, err
	}
	body, mistakes := file.Content(schema())
	var lock Lock
	first := map[place]hcl.Range{}
	for _, block := range body.Blocks {
		input, found := parseBlock(block)
		mistakes = append(mistakes, found...)
		if before, twice := first[input.place()]; twice {
			mistakes = append(mistakes, plainhcl.Mistake(block.DefRange,
				"this %s is listed a second time with the same source; the first is on line %d", input.Kind, before.Start.Line))
			continue
		}
		first[input.place()] = block.DefRange
		lock.Inputs = append(lock.Inputs, input)
	}
	if mistakes.HasErrors() {
		return Lock{}, plainhcl.Listed(mistakes)
	}
	lock.sort()
	return lock, nil
}

func schema() *hcl.BodySchema {
	var blocks []hcl.BlockHeaderSchema
	for _, kind := range kinds {
		blocks = append(blocks, hcl.BlockHeaderSchema{Type: kind, LabelNames: []string{"name"}})
	}
	return &hcl.BodySchema{Blocks: blocks}
}

func parseBlock(block *hcl.Block) (Input, hcl.Diagnostics) {
	input := Input{Kind: block.Type, Name: block.Labels[0]}
	given, unreadable, mistakes := plainhcl.Attributes(block, map[string]any{
		"version": &input.Version, "arch": &input.Arch, "source": &input.Source,
		"license": &input.License, "size": &input.Size, "digest": &input.Digest,
	})
	wrongs := input.check()
	if _, isGiven := given["size"]; isGiven && input.Size == 0 {
		wrongs = append(wrongs, wrong{"size", wrongSize})
	}
	for _, wrong := range wrongs {
		where := block.DefRange
		if attribute, isGiven := given[wrong.field]; isGiven {
			where = attribute.Range
		}
		if !unreadable[wrong.field] {
			mistakes = append(mistakes, plainhcl.Mistake(where, "%s: %s", wrong.field, wrong.why))
		}
	}
	return input, mistakes
}
