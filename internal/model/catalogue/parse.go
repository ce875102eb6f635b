package catalogue

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/plainhcl"
)

const kindModel = "model"

var schema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: kindModel, LabelNames: []string{"id"}}}}

// Parse parses a file of the catalogue, which is called name and holds one model. The error lists
// every mistake with its line.
func Parse(name string, content []byte) (Model, error) {
	file, err := plainhcl.Parse(name, "a file of the catalogue of models", content)
	if err != nil {
		return Model{}, err
	}
	body, mistakes := file.Content(schema)
	if len(body.Blocks) != 1 {
		mistakes = append(mistakes, plainhcl.Mistake(file.MissingItemRange(), "has %d models, and must have one", len(body.Blocks)))
	}
	var model Model
	for _, block := range body.Blocks {
		var found hcl.Diagnostics
		model, found = parseModel(name, block)
		mistakes = append(mistakes, found...)
	}
	if mistakes.HasErrors() {
		return Model{}, plainhcl.Listed(mistakes)
	}
	return model, nil
}

func parseModel(file string, block *hcl.Block) (Model, hcl.Diagnostics) {
	// What a maker does not mention is off, as in the programs that makers recommend it for.
	model := Model{ID: block.Labels[0], Sampling: appliance.Sampling{TopP: 1, TopK: -1, RepeatPenalty: 1}}
	given, unreadable, mistakes := plainhcl.Attributes(block, model.targets())
	has := func(field string) bool { return given[field] != nil }
	if !has("temperature") && !has("top_p") && !has("top_k") && !has("min_p") && !has("repeat_penalty") {
		model.Sampling = appliance.NeutralSampling()
	}
	for _, wrong := range model.check(file, has) {
		where := block.DefRange
		if attribute, isGiven := given[wrong.field]; isGiven {
			where = attribute.Range
		}
		if !unreadable[wrong.field] {
			mistakes = append(mistakes, plainhcl.Mistake(where, "%s: %s", wrong.field, wrong.why))
		}
	}
	return model, mistakes
}

// targets are the attributes of a model, by their names in a file.
func (m *Model) targets() map[string]any {
	return map[string]any{
		"name": &m.Name, "purpose": &m.Purpose, "maker": &m.Maker, "european": &m.European, "license": &m.License, "card": &m.Card,
		"version": &m.Version, "source": &m.Source, "size": &m.Size, "digest": &m.Digest,
		"architecture": &m.Architecture, "parameters": &m.Parameters, "active_parameters": &m.ActiveParameters, "context": &m.Context,
		"temperature": &m.Sampling.Temperature, "top_p": &m.Sampling.TopP, "top_k": &m.Sampling.TopK,
		"min_p": &m.Sampling.MinP, "repeat_penalty": &m.Sampling.RepeatPenalty,
		"template": &m.Template, "fim": &m.FIM, "quality": &m.Quality, "quality_source": &m.QualitySource,
		"speed": &m.Speed, "speed_source": &m.SpeedSource,
		"layers": &m.shape.layers, "embedding": &m.shape.embedding, "vocabulary": &m.shape.vocabulary, "widest": &m.shape.widest, "tied": &m.shape.tied,
		"experts": &m.shape.experts, "experts_used": &m.shape.expertsUsed, "expert_width": &m.shape.expertWidth,
		"heads": &m.shape.heads, "heads_kv": &m.shape.headsKV, "key_length": &m.shape.keyLength, "value_length": &m.shape.valueLength,
		"key_length_mla": &m.shape.keyLengthMLA, "value_length_mla": &m.shape.valueLengthMLA, "window": &m.shape.window,
		"attention_layers": &m.shape.attentionLayers, "ssm_conv_kernel": &m.shape.ssmConvKernel,
		"ssm_inner_size": &m.shape.ssmInnerSize, "ssm_state_size": &m.shape.ssmStateSize, "ssm_group_count": &m.shape.ssmGroupCount,
	}
}
