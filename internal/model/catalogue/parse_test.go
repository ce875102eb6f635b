package catalogue

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// least is the smallest file there can be.
const least = `model "mine" {
  name         = "Mine"
  purpose      = "work"
  maker        = "me"
  license      = "MIT"
  card         = "https://example.org/mine"
  source       = "https://example.org/mine.gguf"
  architecture = "llama"
  parameters   = 1.5
  context      = 4096
}
`

// with adds lines to the smallest file.
func with(lines string) string { return strings.TrimSuffix(least, "}\n") + lines + "\n}\n" }

func TestWhatIsNotKnownIsLeftOut(t *testing.T) {
	model, err := Parse("mine.hcl", []byte(least))
	require.NoError(t, err)
	assert.Equal(t, Model{
		ID: "mine", Name: "Mine", Purpose: "work", Maker: "me", License: "MIT", Card: "https://example.org/mine",
		Source: "https://example.org/mine.gguf", Architecture: "llama", Parameters: 1.5, Context: 4096,
		Sampling: appliance.NeutralSampling(),
	}, model)
	assert.Zero(t, model.MemoryMiB(4096))
}

// A maker's recommendation is for programs in which everything else is off.
func TestWhatARecommendationDoesNotMentionIsOff(t *testing.T) {
	model, err := Parse("mine.hcl", []byte(with("temperature = 0")))
	require.NoError(t, err)
	assert.Equal(t, appliance.Sampling{TopP: 1, TopK: -1, RepeatPenalty: 1}, model.Sampling)
}

func TestEveryMistakeIsListedWithItsLine(t *testing.T) {
	_, err := Parse("other.hcl", []byte(`model "two words" {
  name              = "a|b"
  purpose           = ""
  license           = "MIT; or so"
  card              = "http://example.org"
  source            = "https://user:secret@example.org/a.gguf"
  size              = 0
  digest            = "sha256:short"
  architecture      = env.HOME
  parameters        = 3
  active_parameters = 4
  context           = 1.5
  temperature       = 3
  top_p             = 0
  top_k             = 0
  min_p             = 1
  repeat_penalty    = -1
  fim               = "maybe"
  quality           = "good"
  speed             = "fast"
  colour            = "red"
  layers            = 2
  embedding         = 99999999
  attention_layers  = [2]
}
`))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret")
	assert.Equal(t, strings.TrimSpace(`
other.hcl:1: heads: must be given where layers is, and be a number above 0 that a model can have
other.hcl:1: heads_kv: must be given where layers is, and be a number above 0 that a model can have
other.hcl:1: id: must be the name of the file, without .hcl
other.hcl:1: id: must have up to 64 letters, digits, dots, underscores and hyphens, a letter or digit first
other.hcl:1: key_length: must be given where layers is, and be a number above 0 that a model can have
other.hcl:1: maker: must be given
other.hcl:1: value_length: must be given where layers is, and be a number above 0 that a model can have
other.hcl:1: vocabulary: must be given where layers is, and be a number above 0 that a model can have
other.hcl:1: widest: must be given where layers is, and be a number above 0 that a model can have
other.hcl:2: name: must be one line of printable characters, without |
other.hcl:3: purpose: must be given
other.hcl:4: license: must be an SPDX expression, such as "Apache-2.0"
other.hcl:5: card: must be the https URL of the model card
other.hcl:6: source: must be the https URL of a GGUF file, without password, query or fragment
other.hcl:7: size: must be a number of bytes, above 0; leave it out if it is not known
other.hcl:8: digest: must be "sha256:" and 64 hexadecimal digits in lower case; leave it out if it is not known
other.hcl:9: architecture: must be a plain value, without variables
other.hcl:11: active_parameters: must be above 0 and at most parameters; leave it out for a model that uses all of them
other.hcl:12: context: Unsuitable value: value must be a whole number, between -9223372036854775808 and 9223372036854775807
other.hcl:13: temperature: must be 0 to 2
other.hcl:14: top_p: must be above 0 and at most 1, which is off
other.hcl:15: top_k: must be 1 to 1000, or -1, which is off
other.hcl:16: min_p: must be 0, which is off, to 1
other.hcl:17: repeat_penalty: must be above 0 and at most 2; 1 is off
other.hcl:18: fim: must be "yes" or "no"; leave it out if it is not known
other.hcl:19: quality: must come with its quality_source, and the other way round
other.hcl:20: speed: must come with its speed_source, and the other way round
other.hcl:21: An argument named "colour" is not expected here.
other.hcl:23: embedding: must be given where layers is, and be a number above 0 that a model can have
other.hcl:24: attention_layers: must be numbers below layers
`), err.Error())
}

func TestAFileHoldsOneModel(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"none":               {"# nothing\n", "mine.hcl:1: has 0 models, and must have one"},
		"two":                {least + least, "has 2 models, and must have one"},
		"something else":     {"engine \"a\" {\n}\n", `Blocks of type "engine" are not expected here.`},
		"no HCL":             {"model {", "mine.hcl:1: "},
		"brackets":           {"model \"mine\" {\n  name = " + strings.Repeat("[", 1000), "is not a file of the catalogue of models: that has blocks of plain texts and numbers, and this is nested deeply"},
		"too large":          {strings.Repeat("#\n", 1<<18), "it has more than 262144 bytes"},
		"sampling by halves": {with("top_k = 20"), "mine.hcl:11: top_k: must come with temperature"},
		"too many layers": {with("layers = 18446744073709551615\nembedding = 1\nvocabulary = 1\nwidest = 1\nheads = 1\nheads_kv = 1\nkey_length = 1\nvalue_length = 1"),
			"layers: must be at most 512"},
		"experts by halves": {with("layers = 1\nembedding = 1\nvocabulary = 1\nwidest = 1\nheads = 1\nheads_kv = 1\nkey_length = 1\nvalue_length = 1\nexperts = 3\nexperts_used = 4\nexpert_width = 1"),
			"mine.hcl:19: experts: must come with experts_used, which is at most as many"},
		"impossible heads": {with("layers = 1\nembedding = 1\nvocabulary = 1\nwidest = 1\nheads = 1\nheads_kv = 1\nkey_length = 9999\nvalue_length = 1"),
			"layers: these numbers are of no model: the header says attention.key_length is 9999"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("mine.hcl", []byte(test.content))
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(least))
	for _, entry := range []string{"devstral-small-2.hcl", "granite-4.0-h-small.hcl"} {
		content, err := files.ReadFile(entry)
		require.NoError(f, err)
		f.Add([]byte(strings.NewReplacer("devstral-small-2\"", "mine\"", "granite-4.0-h-small\"", "mine\"").Replace(string(content))))
	}
	f.Add([]byte(with("layers = 512\nsize = 17592186044416\nembedding = 65536\nvocabulary = 16777216\nwidest = 16777216\nheads = 1024\nheads_kv = 1024\nkey_length = 8192\nvalue_length = 8192\nattention_layers = [511]")))
	f.Fuzz(func(t *testing.T, content []byte) {
		model, err := Parse("mine.hcl", content)
		if err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		assert.Equal(t, "mine", model.ID)
		assert.GreaterOrEqual(t, model.MemoryMiB(model.Context), 0)
		assert.Zero(t, model.MemoryMiB(model.Context+1))
	})
}
