package app

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func TestTextIsGolden(t *testing.T) {
	for _, arch := range []string{"x86_64", "aarch64"} {
		app := Default()
		app.Logo = "slm-copilot.png"
		template := app.VMTemplate(arch)
		assert.NoError(t, template.Check())
		golden(t, "vmtemplate-"+arch+".txt", template.Text())
	}
}

func TestTextEscapesQuotesAndRepeatsVectors(t *testing.T) {
	assert.Equal(t, `A="say \"hi\" \x
twice"
B="1"
V=[
  X="\"",
  Y="2" ]
V=[
  X="3" ]
`, VMTemplate{
		Attributes: map[string]string{"B": "1", "A": "say \"hi\" \\x\ntwice"},
		Vectors:    map[string][]map[string]string{"V": {{"Y": "2", "X": `"`}, {"X": "3"}}},
	}.Text())
}

func TestCheckListsEveryMistake(t *testing.T) {
	err := VMTemplate{
		Attributes: map[string]string{"A": `ends in \`, "B": "a ]]> b", "C-D": "name", "E": "two\nlines"},
		Vectors: map[string][]map[string]string{
			"V": {{"X": "\U0001F680"}, {"Y": "return\r"}, {"Z ": "name"}},
			"W": {{"X": "\x00"}, {"Y": "\xff"}},
			"":  {{"OK": "x"}},
		},
	}.Check()
	assert.EqualError(t, err, strings.Join([]string{
		`A: must not end in a backslash`,
		`B: must not hold "]]>"`,
		`C-D: a name must be of letters, digits and _`,
		`: a name must be of letters, digits and _`,
		`V/X: must not hold characters above U+FFFF such as emoji`,
		`V/Y: must not hold the control character U+000D`,
		`V/Z : a name must be of letters, digits and _`,
		`W/X: must not hold the control character U+0000`,
		`W/Y: must be valid UTF-8`,
	}, "\n"))
}

func TestMapReachesEveryValueAndLeavesTheTemplateAlone(t *testing.T) {
	template := VMTemplate{
		Attributes: map[string]string{"A": "a"},
		Vectors:    map[string][]map[string]string{"V": {{"X": "x"}, {"X": "y"}}},
	}
	assert.Equal(t, VMTemplate{
		Attributes: map[string]string{"A": "A"},
		Vectors:    map[string][]map[string]string{"V": {{"X": "X"}, {"X": "Y"}}},
	}, template.Map(strings.ToUpper))
	assert.Equal(t, "x", template.Vectors["V"][0]["X"])
}

// Sunstone finds a title by the segments of an input's name.
func TestEveryGroupOfInputsHasATitle(t *testing.T) {
	titles := map[string]string{}
	for _, metadata := range Default().VMTemplate("x86_64").Vectors["USER_INPUTS_METADATA"] {
		titles[metadata["TYPE"]+" "+metadata["NAME"]] = metadata["TITLE"]
	}
	assert.Equal(t, "SLM-Copilot", titles["APP COPILOT"])
	for _, v := range appliance.Variables() {
		segments := strings.Split(v.Input, "_")
		assert.NotEmpty(t, titles["GROUP "+segments[2]], v.Input)
	}
}
