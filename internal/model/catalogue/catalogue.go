// Package catalogue holds what is known about models: where they come from, who made them and
// under which licence, how their makers want them sampled, and what they need. Each is an HCL file
// of this directory; adding one is adding a file. Only what a publisher states is in them.
package catalogue

import (
	"embed"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// Model is an entry of the catalogue. What is not known has its zero value.
type Model struct {
	// ID is what clients send as "model", and the name of the file; Name is for people.
	ID, Name string
	// Purpose says what it is for, in a few words.
	Purpose string
	// Maker completes "The model is made by".
	Maker string
	// European: a copilot with it is under European control.
	European bool
	// License is an SPDX expression.
	License string
	// Card is the URL of the model card, the source of what nothing else is named for.
	Card string

	// Version, Source, Size (bytes) and Digest ("sha256:<hex>") are those of a lock file.
	Version, Source, Digest string
	Size                    int64
	// Architecture is llama.cpp's name.
	Architecture string
	// Parameters and ActiveParameters are in billions. A token is computed with the second.
	Parameters, ActiveParameters float64
	// Context is how many tokens the model was made for.
	Context int

	// Sampling is as its maker recommends.
	Sampling appliance.Sampling
	// Template says what is worth telling of the chat template.
	Template string
	// FIM is "yes" or "no": whether it has tokens to fill in the middle of a text.
	FIM string
	// Quality is a published result, QualitySource its URL.
	Quality, QualitySource string
	// Speed is what a user has measured and published of this model, or one of the same shape, on which CPU;
	// SpeedSource is its URL.
	Speed, SpeedSource string

	// shape is of what the memory is computed.
	shape shape
}

//go:embed *.hcl
var files embed.FS

var models = read()

func read() []Model {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // an embedded directory
	}
	var all []Model
	for _, entry := range entries {
		content, err := files.ReadFile(entry.Name())
		if err != nil {
			panic(err)
		}
		model, err := Parse(entry.Name(), content)
		if err != nil {
			panic(err) // A test reads the files.
		}
		all = append(all, model)
	}
	return all
}

// All returns the models in the order of their ids.
func All() []Model { return slices.Clone(models) }

// ByID returns the model with an id. Anybody can give a model its name: nothing is to be claimed of
// who made it.
func ByID(id string) (Model, bool) {
	return find(func(m Model) bool { return m.ID == id })
}

// BySHA256 returns the model that consists of exactly these weights (64 hexadecimal digits).
func BySHA256(sum string) (Model, bool) {
	return find(func(m Model) bool { return sum != "" && strings.TrimPrefix(m.Digest, digestPrefix) == sum })
}

// Find returns the model of these weights, or of this id if the weights are not known.
func Find(sum, id string) (Model, bool) {
	if model, known := BySHA256(sum); known {
		return model, true
	}
	return ByID(id)
}

func find(wanted func(Model) bool) (Model, bool) {
	if i := slices.IndexFunc(models, wanted); i >= 0 {
		return models[i], true
	}
	return Model{}, false
}
