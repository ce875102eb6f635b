package catalogue

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/kvcache"
)

// wrong is a mistake in one attribute of a model.
type wrong struct{ field, why string }

// findings collects mistakes.
type findings []wrong

func (f *findings) expect(ok bool, field, why string) {
	if !ok {
		*f = append(*f, wrong{field, why})
	}
}

const (
	digestPrefix = "sha256:"
	// maxSize is in bytes, and far above every model; so are the other limits. They keep what is
	// computed from them below 64 bits.
	maxSize      = 1 << 44
	maxDimension = 1 << 24
	maxLayers    = 512
	maxExperts   = 1 << 12
	maxContext   = 1 << 30
)

var (
	idPattern      = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)
	digestPattern  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	licensePattern = regexp.MustCompile(`^[A-Za-z0-9.+:() -]+$`)
)

// check returns everything that is wrong with the model of a file; has tells which attributes
// the file gives.
func (m Model) check(file string, has func(string) bool) []wrong {
	var found findings
	found.expect(idPattern.MatchString(m.ID), "id", "must have up to 64 letters, digits, dots, underscores and hyphens, a letter or digit first")
	found.expect(file == m.ID+".hcl", "id", "must be the name of the file, without .hcl")
	m.checkTexts(&found)
	m.checkSource(&found, has)
	m.checkNumbers(&found, has)
	m.checkSampling(&found, has)
	m.checkShape(&found)
	return found
}

func (m Model) checkTexts(found *findings) {
	texts := map[string]string{
		"name": m.Name, "purpose": m.Purpose, "maker": m.Maker, "version": m.Version, "architecture": m.Architecture,
		"template": m.Template, "quality": m.Quality, "speed": m.Speed,
	}
	for _, field := range slices.Sorted(maps.Keys(texts)) {
		printable := strings.IndexFunc(texts[field], func(r rune) bool { return !unicode.IsPrint(r) || r == '|' }) < 0
		found.expect(printable, field, "must be one line of printable characters, without |")
	}
	for _, field := range []string{"name", "purpose", "maker", "architecture"} {
		found.expect(texts[field] != "", field, "must be given")
	}
	found.expect(licensePattern.MatchString(m.License), "license", `must be an SPDX expression, such as "Apache-2.0"`)
	found.expect(isPage(m.Card), "card", "must be the https URL of the model card")
	found.expect(slices.Contains([]string{"", "yes", "no"}, m.FIM), "fim", `must be "yes" or "no"; leave it out if it is not known`)
	for field, claim := range map[string][2]string{"quality": {m.Quality, m.QualitySource}, "speed": {m.Speed, m.SpeedSource}} {
		source := field + "_source"
		found.expect((claim[0] == "") == (claim[1] == ""), field, "must come with its "+source+", and the other way round")
		found.expect(claim[1] == "" || isPage(claim[1]), source, "must be an https URL")
	}
}

// isPage: what the files name is public, so it needs no password and no query.
func isPage(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

func (m Model) checkSource(found *findings, has func(string) bool) {
	found.expect(isPage(m.Source) && strings.HasSuffix(m.Source, ".gguf"), "source", "must be the https URL of a GGUF file, without password, query or fragment")
	found.expect(!has("digest") || digestPattern.MatchString(m.Digest), "digest", `must be "sha256:" and 64 hexadecimal digits in lower case; leave it out if it is not known`)
	found.expect(!has("size") || m.Size > 0 && m.Size <= maxSize, "size", "must be a number of bytes, above 0; leave it out if it is not known")
}

func (m Model) checkNumbers(found *findings, has func(string) bool) {
	found.expect(m.Parameters > 0 && m.Parameters < 1e5, "parameters", "must be given, in billions")
	found.expect(!has("active_parameters") || m.ActiveParameters > 0 && m.ActiveParameters <= m.Parameters,
		"active_parameters", "must be above 0 and at most parameters; leave it out for a model that uses all of them")
	found.expect(m.Context > 0 && m.Context <= maxContext, "context", "must be given, in tokens")
}

func (m Model) checkSampling(found *findings, has func(string) bool) {
	s := m.Sampling
	found.expect(s.Temperature >= 0 && s.Temperature <= 2, "temperature", "must be 0 to 2")
	found.expect(s.TopP > 0 && s.TopP <= 1, "top_p", "must be above 0 and at most 1, which is off")
	found.expect(s.TopK == -1 || s.TopK > 0 && s.TopK <= 1000, "top_k", "must be 1 to 1000, or -1, which is off")
	found.expect(s.MinP >= 0 && s.MinP < 1, "min_p", "must be 0, which is off, to 1")
	found.expect(s.RepeatPenalty > 0 && s.RepeatPenalty <= 2, "repeat_penalty", "must be above 0 and at most 2; 1 is off")
	for _, field := range []string{"top_p", "top_k", "min_p", "repeat_penalty"} {
		found.expect(!has(field) || has("temperature"), field, "must come with temperature")
	}
}

func (m Model) checkShape(found *findings) {
	s := m.shape
	if s.layers == 0 {
		return
	}
	numbers := map[string]uint64{
		"embedding": s.embedding, "vocabulary": s.vocabulary, "widest": s.widest, "heads": s.heads, "heads_kv": s.headsKV,
		"key_length": s.keyLength, "value_length": s.valueLength,
	}
	before := len(*found)
	for _, field := range slices.Sorted(maps.Keys(numbers)) {
		found.expect(numbers[field] > 0 && numbers[field] <= maxDimension, field, "must be given where layers is, and be a number above 0 that a model can have")
	}
	found.expect(s.layers <= maxLayers, "layers", "must be at most 512")
	found.expect(len(s.attentionLayers) == 0 || slices.Max(s.attentionLayers) < s.layers, "attention_layers", "must be numbers below layers")
	some := s.experts > 0 || s.expertsUsed > 0 || s.expertWidth > 0
	all := s.expertsUsed > 0 && s.expertsUsed <= s.experts && s.experts <= maxExperts && s.expertWidth > 0 && s.expertWidth <= maxDimension
	found.expect(all || !some, "experts", "must come with experts_used, which is at most as many, and with expert_width")
	if len(*found) > before {
		return
	}
	if err := kvcache.Check(m.header()); err != nil {
		found.expect(false, "layers", "these numbers are of no model: "+err.Error())
	}
}
