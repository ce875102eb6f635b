package appliance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseSettingsTakesDefaultsForAbsentAndEmptyValues(t *testing.T) {
	want := Settings{ContextSize: 32768}
	for name, context := range map[string]map[string]string{
		"absent": {},
		"empty":  {VarContextSize: "", VarThreads: "", VarPassword: "", VarDomain: ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseSettings(context)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
}

func TestParseSettingsStoresEveryVariable(t *testing.T) {
	got, err := ParseSettings(map[string]string{
		VarContextSize: "131072",
		VarThreads:     "16",
		VarPassword:    `p"a'$\s{w}#1`,
		VarDomain:      "Copilot.Example.ORG",
	})
	require.NoError(t, err)
	assert.Equal(t, Settings{ContextSize: 131072, Threads: 16, Password: `p"a'$\s{w}#1`, Domain: "copilot.example.org"}, got)
}

func TestParseSettingsListsEveryMistakeAndNoSecret(t *testing.T) {
	_, err := ParseSettings(map[string]string{
		VarContextSize: "511",
		VarThreads:     "many",
		VarPassword:    "hush hush",
		VarDomain:      "localhost",
	})
	require.Error(t, err)
	assert.Equal(t, strings.Join([]string{
		`ONEAPP_COPILOT_CONTEXT_SIZE: must be a whole number from 512 to 131072, got "511"`,
		`ONEAPP_COPILOT_THREADS: must be a whole number from 0 to 1024, got "many"`,
		`ONEAPP_COPILOT_PASSWORD: must be of printable ASCII characters without blanks`,
		`ONEAPP_COPILOT_DOMAIN: must be a fully qualified host name such as copilot.example.org, got "localhost"`,
	}, "\n"), err.Error())
}

func TestUnknownNamesFindsMisspellingsOnly(t *testing.T) {
	got := UnknownNames(map[string]string{
		"ONEAPP_COPILOT_CONTEXTSIZE":     "1",
		"ONEAPP_COPILOT_ACCESS_PASSWORD": "an input's name is known",
		VarThreads:                       "2",
		"ETH0_IP":                        "10.0.2.15",
	})
	assert.Equal(t, []string{"ONEAPP_COPILOT_CONTEXTSIZE"}, got)
}

// The rules OpenNebula's own tools break on: see USER_INPUTS in its documentation.
func TestUserInputsHaveFiveFieldsAndSunstoneNames(t *testing.T) {
	for _, v := range Variables() {
		t.Run(v.Name, func(t *testing.T) {
			fields := strings.Split(v.UserInput(), "|")
			require.Len(t, fields, 5)
			assert.Equal(t, "O", fields[0])
			assert.NotContains(t, v.Description, `"`)
			assert.NotEmpty(t, fields[3], "a blank stands for no options")
			assert.GreaterOrEqual(t, len(strings.Split(v.Input, "_")), 4, "fewer segments end in Sunstone's tab of others")
			assert.True(t, strings.HasPrefix(v.Input, Prefix))
		})
	}
}

func TestCheckDomain(t *testing.T) {
	for name, valid := range map[string]bool{
		"copilot.example.org":               true,
		"a.b":                               true,
		"xn--bcher-kva.example":             true,
		strings.Repeat("a", 63) + ".org":    true,
		strings.Repeat("a", 64) + ".org":    false,
		strings.Repeat("a.", 127) + "org":   false,
		"localhost":                         false,
		"10.0.0.1":                          false,
		"-a.example.org":                    false,
		"a-.example.org":                    false,
		"a..org":                            false,
		"a.org.":                            false,
		"*.example.org":                     false,
		"Copilot.example.org":               false,
		"a_b.example.org":                   false,
		"../../etc.passwd":                  false,
		"example.org\nssl_certificate /x;a": false,
	} {
		assert.Equal(t, valid, CheckDomain(name) == nil, "%q", name)
	}
}

func TestCheckObjectName(t *testing.T) {
	for name, valid := range map[string]bool{
		"SLM-Copilot 1.0.0":         true,
		"Größe (24B) @ 100%":        true,
		strings.Repeat("a", 128):    true,
		strings.Repeat("a", 129):    false,
		strings.Repeat("ä", 65):     false,
		"":                          false,
		"a;b":                       false,
		"a\tb":                      false,
		"a ":                        false,
		" a":                        true,
		"copilot \U0001F680":        false,
		"curly {brace}":             false,
		"slash/in/name":             false,
		"dots . .. , = [ ] ( ) @ +": true,
	} {
		assert.Equal(t, valid, CheckObjectName(name) == nil, "%q", name)
	}
}
