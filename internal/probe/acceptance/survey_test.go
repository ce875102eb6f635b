package acceptance

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

func sampleSurvey() Survey {
	results := slices.Concat(sample().Boots[0].Results, failedBoot().Results)
	// What a server says is in the detail.
	results[2].Detail = `expected status 200, got 401: "<script>alert(1)</script>"` + "\x1b[31m & more"
	return Survey{
		URL: "https://copilot.example.org", Version: "slm-copilot/1.0.0 LocalAI/v4.9.0 devstral-small-2/Q4_K_M",
		Model: "devstral-small-2", Started: sample().Started, Suite: Suite, Results: results,
	}
}

func TestSurveyAsFiles(t *testing.T) {
	survey := sampleSurvey()
	assert.False(t, survey.Passed())
	unasked := Survey{URL: "https://copilot.example.org", Started: survey.Started, Suite: Suite, Error: "ask it: connection refused"}
	assert.False(t, unasked.Passed())
	survey.Suite, unasked.Suite = 3, 3 // so that the files do not change with it
	for name, one := range map[string]Survey{"survey": survey, "unasked": unasked} {
		for ext, make := range map[string]func() ([]byte, error){".json": one.JSON, ".junit.xml": one.JUnit, ".html": one.HTML} {
			text, err := make()
			require.NoError(t, err)
			golden(t, name+ext, text)
		}
	}
	survey.Results = survey.Results[:2]
	assert.True(t, survey.Passed())
	survey.Results = nil
	assert.False(t, survey.Passed(), "nothing is no success")
}

func TestJUnitCounts(t *testing.T) {
	survey := sampleSurvey()
	survey.Error = "interrupted"
	text, err := survey.JUnit()
	require.NoError(t, err)
	var read junitSuites
	require.NoError(t, xml.Unmarshal(text, &read))
	assert.Len(t, read.Suite.Cases, read.Suite.Tests)
	assert.Equal(t, []int{4, 1, 1}, []int{read.Suite.Tests, read.Suite.Failures, read.Suite.Errors})
}

// The page is opened by whoever gets it, wherever that is.
func TestThePageNeedsNothingElse(t *testing.T) {
	text, err := sampleSurvey().HTML()
	require.NoError(t, err)
	page := string(text)
	assert.NotRegexp(t, `(?i)<(script|link|img|iframe|object|base)\b|\b(src|href|on[a-z]+)=|@import|url\(`, page)
	for _, wanted := range []string{"prefers-color-scheme: dark", "@media print", "&lt;script&gt;", "What to do:", "2026-11-22 12:00:00 UTC"} {
		assert.Contains(t, page, wanted)
	}
}

func TestDocumentationListsTheChecks(t *testing.T) {
	var table strings.Builder
	table.WriteString("| key | what the appliance promises |\n|---|---|\n")
	for _, check := range Checks() {
		table.WriteString("| `" + check.Key + "` | " + check.Requirement + " |\n")
	}
	goldentest.Block(t, "../../../docs/appliance.md", "checks", table.String())
}
