package appliance

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of variables into the documentation")

const documentation = "../../docs/appliance.md"

func variablesTable() string {
	var table strings.Builder
	table.WriteString("| variable | values | default | |\n|---|---|---|---|\n")
	for _, v := range variables {
		values, standard := string(v.Type), "empty"
		if v.Options != "" {
			values = strings.Replace(v.Options, "..", " to ", 1)
		}
		if v.Default != "" {
			standard = "`" + v.Default + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", v.Name, values, standard, v.Description)
	}
	return table.String()
}

func TestDocumentationHoldsTheTableOfVariables(t *testing.T) {
	text, err := os.ReadFile(documentation)
	require.NoError(t, err)
	block := regexp.MustCompile(`(?s)(<!-- variables:[^\n]*-->\n).*(<!-- end of variables -->)`)
	require.Regexp(t, block, string(text))
	want := block.ReplaceAllString(string(text), "${1}"+strings.ReplaceAll(variablesTable(), "$", "$$")+"${2}")
	if *update {
		require.NoError(t, os.WriteFile(documentation, []byte(want), 0o644))
		return
	}
	assert.Equal(t, want, string(text), "run go test ./internal/appliance -update")
}
