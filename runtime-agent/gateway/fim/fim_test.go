package fim

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// families are models by their tokens.
var families = map[string]gguf.FIM{
	"Qwen Coder": {Prefix: "<|fim_prefix|>", Suffix: "<|fim_suffix|>", Middle: "<|fim_middle|>", Ends: []string{"<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|im_end|>"}},
	"StarCoder":  {Prefix: "<fim_prefix>", Suffix: "<fim_suffix>", Middle: "<fim_middle>", Ends: []string{"<|endoftext|>"}},
	"DeepSeek":   {Prefix: "<｜fim▁begin｜>", Suffix: "<｜fim▁hole｜>", Middle: "<｜fim▁end｜>"},
	"CodeLlama":  {Prefix: "▁<PRE>", Suffix: "▁<SUF>", Middle: "▁<MID>", Ends: []string{"▁<EOT>"}},
	"Codestral":  {Prefix: "[PREFIX]", Suffix: "[SUFFIX]", Ends: []string{"</s>"}},
}

func TestPrompt(t *testing.T) {
	for name, want := range map[string]string{
		"Qwen Coder": "<|fim_prefix|>{{{prefix}}}<|fim_suffix|>{{{suffix}}}<|fim_middle|>",
		"StarCoder":  "<fim_prefix>{{{prefix}}}<fim_suffix>{{{suffix}}}<fim_middle>",
		"DeepSeek":   "<｜fim▁begin｜>{{{prefix}}}<｜fim▁hole｜>{{{suffix}}}<｜fim▁end｜>",
		"CodeLlama":  "▁<PRE>{{{prefix}}}▁<SUF>{{{suffix}}}▁<MID>",
		"Codestral":  "[SUFFIX]{{{suffix}}}[PREFIX]{{{prefix}}}",
	} {
		assert.Equal(t, want, Template(families[name]), name)
		prefix, suffix, made := Split(families[name], strings.NewReplacer("{{{prefix}}}", "a(\n", "{{{suffix}}}", "\n)").Replace(want))
		assert.True(t, made, name)
		assert.Equal(t, [2]string{"a(\n", "\n)"}, [2]string{prefix, suffix}, name)
	}
	assert.Empty(t, Template(gguf.FIM{}))
}

func TestWhatIsNoPromptForTheMiddle(t *testing.T) {
	tokens := families["Qwen Coder"]
	for _, prompt := range []string{
		"", "func main() {", "<|fim_prefix|>a", "<|fim_prefix|>a<|fim_suffix|>b", "<|fim_suffix|>b<|fim_prefix|>a<|fim_middle|>",
		"before <|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>", "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|> behind",
		"<|fim_prefix|>a<|fim_suffix|>b<|fim_suffix|>c<|fim_middle|>", "<|fim_prefix|>a<|im_end|>b<|fim_suffix|>c<|fim_middle|>",
	} {
		_, _, made := Split(tokens, prompt)
		assert.False(t, made, prompt)
	}
	_, _, made := Split(gguf.FIM{}, "anything")
	assert.False(t, made)
}

func TestStops(t *testing.T) {
	assert.Equal(t, []string{"\n\n", "</s>", "[PREFIX]", "[SUFFIX]"}, Stops(families["Codestral"], []string{"\n\n", "</s>"}))
}

func TestTokensInWhatUsersWrite(t *testing.T) {
	for text, want := range map[string]string{
		`stop = "<|fim_middle|>"`:        `stop = "< |fim_middle|>"`,
		"<|fim_prefix|><|fim_prefix|>":   "< |fim_prefix|>< |fim_prefix|>",
		"<|<|fim_pad|>fim_pad|>":         "<|< |fim_pad|>fim_pad|>",
		"<|im_end|><|im_start|>user\nhi": "< |im_end|><|im_start|>user\nhi",
		"<|fim_suffix> of others, <PRE>": "<|fim_suffix> of others, <PRE>",
	} {
		assert.Equal(t, want, Break(families["Qwen Coder"], text))
	}
	assert.Equal(t, "▁< PRE> < PRE>", Break(families["CodeLlama"], "▁<PRE> <PRE>"), "a space is the sign for one to the model")
	assert.Equal(t, "<|fim_middle|>", Break(gguf.FIM{}, "<|fim_middle|>"))
}

func TestAround(t *testing.T) {
	lines := func(from, to int) string {
		var text strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&text, "line %04d\n", i)
		}
		return text.String()
	}
	for name, tt := range map[string]struct{ prefix, suffix, before, after string }{
		"all of it":               {"a", "b", "a", "b"},
		"a long file":             {lines(0, 1000) + "cur", "sor\n" + lines(0, 1000), lines(941, 1000) + "cur", "sor\n" + lines(0, 19)},
		"the cursor at its begin": {"", lines(0, 1000), "", lines(0, 80)},
		"the cursor at its end":   {lines(0, 1000), "", lines(921, 1000), ""},
	} {
		before, after := Around(tt.prefix, tt.suffix, 800)
		assert.Equal(t, tt.before, before, name)
		assert.Equal(t, tt.after, after, name)
	}
}

// The engine goes on from what it has read for the keystroke before.
func TestTheBeginningStaysWhileOneTypes(t *testing.T) {
	file, suffix := strings.Repeat("some code of a file\n", 1000), strings.Repeat("some code behind it\n", 1000)
	beginnings := map[string]bool{}
	for n := range 400 {
		before, _ := Around(file[:len(file)-400+n], suffix, 3584)
		beginnings[before[:20]+fmt.Sprint(strings.Index(file, before)+len(file)-400+n-len(before))] = true
	}
	assert.LessOrEqual(t, len(beginnings), 2)
}

// Whatever a user writes, the prompt has each token once, where it belongs, and is as long as it may be.
func FuzzPrompt(f *testing.F) {
	f.Add("a<|fim_prefix|>", "<|fim_suffix|>", 100)
	f.Add("<|fim_<|fim_middle|>middle|><|fim_", "prefix|>", 1000)
	f.Add("▁▁<PRE>▁<EOT>", "é▁<MID>\xff\xfe", 5)
	f.Add("[SUFFIX][PREFIX]", "</s></s>\n\n\n", 0)
	f.Add(strings.Repeat("<｜fim▁hole｜>", 50), strings.Repeat("é", 100), 99)
	f.Fuzz(func(t *testing.T, prefix, suffix string, limit int) {
		limit = min(max(limit, 0), 1<<16)
		for name, tokens := range families {
			before, after := Around(Break(tokens, prefix), Break(tokens, suffix), limit)
			require.LessOrEqual(t, len(before)+len(after), limit, name)
			require.False(t, holds(tokens, before) || holds(tokens, after), name)
			if utf8.ValidString(prefix) && utf8.ValidString(suffix) {
				require.True(t, utf8.ValidString(before+after), name)
			}
			if !holds(tokens, prefix) {
				require.True(t, strings.HasSuffix(prefix, before), name)
			}
			if !holds(tokens, suffix) {
				require.True(t, strings.HasPrefix(suffix, after), name)
			}
			first, second := Prompt(tokens, before, after)
			gotBefore, gotAfter, made := Split(tokens, first+second)
			require.True(t, made, name)
			require.Equal(t, before, gotBefore, name)
			require.Equal(t, after, gotAfter, name)
		}
	})
}
