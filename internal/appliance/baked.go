package appliance

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Baked describes the content of the image. The provisioner writes it to BakedFile as JSON,
// and the agent reads it.
type Baked struct {
	// Context is the program that applies the context to the operating system, OneContext or
	// CloudInit; empty in images made before it was recorded.
	Context string `json:"context,omitempty"`
	// BakedModel is the model that is served unless the context names one of Others.
	BakedModel
	Others []BakedModel `json:"other_models,omitempty"`
	// LocalAIVersion is the version of the engine, "v4.9.0".
	LocalAIVersion string `json:"localai_version"`
	// ApplianceVersion is the version of the image.
	ApplianceVersion string `json:"appliance_version"`
	// ModelDisk is true if the weights are on a disk of their own, labelled ModelDiskLabel.
	ModelDisk bool `json:"model_disk,omitempty"`
}

// BakedModel is one model of the image.
type BakedModel struct {
	// ModelID is the id clients send as "model".
	ModelID string `json:"model_id"`
	// ModelName and Quantization are display names: "Devstral Small 2 24B", "Q4_K_M".
	ModelName    string `json:"model_name"`
	Quantization string `json:"quantization"`
	// File is the name of its weights in ModelsDir; empty for ModelFile.
	File string `json:"file,omitempty"`
	// Sampling is what the maker of the model recommends; absent in images made before it was
	// recorded.
	Sampling Sampling `json:"sampling,omitzero"`
	// MemoryMiB is the memory a VM needs so that the model has a context of
	// DefaultContextSize.
	MemoryMiB int `json:"memory_mib,omitempty"`
	// MinMemoryMiB is the memory below which the model does not start at all.
	MinMemoryMiB int `json:"min_memory_mib,omitempty"`
}

// WeightsFile is the path of the weights.
func (m BakedModel) WeightsFile() string {
	if m.File == "" {
		return ModelsDir + "/" + ModelFile
	}
	return ModelsDir + "/" + m.File
}

// OtherModelFile returns the name, in ModelsDir, of the weights of a model that is not served by
// default.
func OtherModelFile(id string) string { return id + ".gguf" }

// ModelIDs returns the ids of all models, that of the one that is served by default first.
func (b Baked) ModelIDs() []string {
	ids := []string{b.ModelID}
	for _, other := range b.Others {
		ids = append(ids, other.ModelID)
	}
	return ids
}

// Serving returns the description with the model of an id in the place of the one that is served by
// default, which an empty id stands for.
func (b Baked) Serving(id string) (Baked, error) {
	if id == "" || id == b.ModelID {
		return b, nil
	}
	i := slices.IndexFunc(b.Others, func(m BakedModel) bool { return m.ModelID == id })
	if i < 0 {
		return b, fmt.Errorf("%s: the appliance does not contain this model, got %s. It contains: %s", VarModel, quote(id), strings.Join(b.ModelIDs(), ", "))
	}
	chosen := b
	chosen.BakedModel, chosen.Others = b.Others[i], slices.Clone(b.Others)
	chosen.Others[i] = b.BakedModel
	return chosen, nil
}

// modelID matches what is a file name, and needs no quoting in a list of user inputs or in YAML.
var modelID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// CheckModelID refuses what cannot be the id of a model that is chosen by it.
func CheckModelID(id string) error {
	if !modelID.MatchString(id) {
		return errors.New("must be the id of a model: letters, digits, dots, hyphens and underscores")
	}
	return nil
}

// Products names what the image contains as product tokens of HTTP (RFC 9110, section 10.1.5):
// "slm-copilot/1.0.0 LocalAI/v4.9.0 devstral-small-2/Q4_K_M".
func (b Baked) Products() string {
	products := []string{Name + "/" + token(b.ApplianceVersion), "LocalAI/" + token(b.LocalAIVersion), token(b.ModelID) + "/" + token(b.Quantization)}
	return strings.Join(products, " ")
}

// token replaces what a token must not contain (RFC 9110, section 5.6.2).
func token(text string) string {
	if text == "" {
		return "unknown"
	}
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) {
			return r
		}
		return '-'
	}, text)
}
