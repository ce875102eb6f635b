package appliance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

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
	goldentest.Block(t, "../../docs/appliance.md", "variables", variablesTable())
}
