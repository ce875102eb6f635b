package appliance

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Blocks in the right form are enough here; whether a pair belongs together is checked
// where certificates are.
const (
	testCertificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	testKey         = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
)

func TestPrivateKey(t *testing.T) {
	block := func(kind string) string { return strings.ReplaceAll(testKey, "PRIVATE KEY", kind) }
	for name, tt := range map[string]struct{ value, mistake string }{
		"PKCS 8":             {testKey, ""},
		"PKCS 1":             {block("RSA PRIVATE KEY"), ""},
		"a curve before it":  {block("EC PARAMETERS") + block("EC PRIVATE KEY"), ""},
		"two":                {testKey + testKey, "must hold one private key"},
		"a certificate":      {testCertificate, "must hold one private key"},
		"encrypted, PKCS 8":  {block("ENCRYPTED PRIVATE KEY"), "without a passphrase"},
		"encrypted, OpenSSL": {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "without a passphrase"},
	} {
		_, err := privateKey(tt.value)
		if tt.mistake == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, tt.mistake, name)
		}
	}
}

// What passes stands in a command line and in configuration files.
func FuzzValues(f *testing.F) {
	f.Add("https://ca.example.org/dir")
	f.Add("https://a.b:1 http://c")
	f.Add("a@b.c")
	f.Add(testCertificate)
	f.Fuzz(func(t *testing.T, value string) {
		const harmful = " \n\"';{}\\\x00"
		if checkHTTPS(value) == nil {
			assert.False(t, strings.ContainsAny(value, harmful), "%q", value)
		}
		if list, err := origins(value); err == nil {
			assert.False(t, strings.ContainsAny(strings.Join(list, ""), harmful+"$"), "%q", value)
		}
		if checkEmail(value) == nil {
			assert.False(t, strings.ContainsAny(value, " \n\x00"), "%q", value)
			assert.False(t, strings.HasPrefix(value, "-"), "%q would be an option", value)
		}
		if pem, err := certificates(value); err == nil {
			again, err := certificates(string(pem))
			assert.NoError(t, err)
			assert.Equal(t, pem, again)
		}
	})
}

func TestParseSettingsTakesDefaultsForAbsentAndEmptyValues(t *testing.T) {
	want := Settings{
		ContextSize: 32768, ACMEDirectory: "https://acme-v02.api.letsencrypt.org/directory",
		ReadTimeout: 30 * time.Minute,
	}
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

		VarACMEDirectory: "https://ca.example.org:14000/dir",
		VarACMECA:        testCertificate,
		VarACMEEmail:     "ops@example.org",
		VarCertificate:   base64.StdEncoding.EncodeToString([]byte("a description\n" + testCertificate + testCertificate)),
		VarKey:           testKey,
		VarCORSOrigins:   "https://ide.example.org, http://localhost:3000 http://[::1]:3000",
		VarReadTimeout:   "3600",
		VarRateLimit:     "60",
	})
	require.NoError(t, err)
	assert.Equal(t, Settings{
		ContextSize: 131072, Threads: 16, Password: `p"a'$\s{w}#1`, Domain: "copilot.example.org",
		ACMEDirectory: "https://ca.example.org:14000/dir", ACMECA: []byte(testCertificate), ACMEEmail: "ops@example.org",
		Certificate: []byte(testCertificate + testCertificate), Key: []byte(testKey),
		CORSOrigins: []string{"http://[::1]:3000", "http://localhost:3000", "https://ide.example.org"},
		ReadTimeout: time.Hour, RateLimit: 60,
	}, got)
}

func TestParseSettingsListsEveryMistakeAndNoSecret(t *testing.T) {
	_, err := ParseSettings(map[string]string{
		VarContextSize: "511",
		VarThreads:     "many",
		VarPassword:    "hush hush",
		VarDomain:      "localhost",

		VarACMEDirectory: "http://ca.example.org/dir",
		VarACMECA:        testKey,
		VarACMEEmail:     "ops",
		VarCertificate:   "certificate",
		VarCORSOrigins:   "https://ide.example.org/path",
		VarReadTimeout:   "1",
		VarRateLimit:     "-1",
	})
	require.Error(t, err)
	assert.Equal(t, strings.Join([]string{
		`ONEAPP_COPILOT_CONTEXT_SIZE: must be a whole number from 512 to 131072, got "511"`,
		`ONEAPP_COPILOT_THREADS: must be a whole number from 0 to 1024, got "many"`,
		`ONEAPP_COPILOT_PASSWORD: must be of printable ASCII characters without blanks`,
		`ONEAPP_COPILOT_DOMAIN: must be a fully qualified host name such as copilot.example.org, got "localhost"`,
		`ONEAPP_COPILOT_ACME_DIRECTORY: must be a URL that starts with https://, got "http://ca.example.org/dir"`,
		`ONEAPP_COPILOT_ACME_CA: must hold certificates only, not a block "PRIVATE KEY"`,
		`ONEAPP_COPILOT_ACME_EMAIL: must be an e-mail address, got "ops"`,
		`ONEAPP_COPILOT_TLS_CERTIFICATE: must be PEM, or Base64 of PEM`,
		`ONEAPP_COPILOT_CORS_ORIGINS: must be an asterisk or origins such as https://ide.example.org separated by blanks; "https://ide.example.org/path" is neither, got "https://ide.example.org/path"`,
		`ONEAPP_COPILOT_READ_TIMEOUT: must be a whole number from 60 to 86400, got "1"`,
		`ONEAPP_COPILOT_RATE_LIMIT: must be a whole number from 0 to 60000, got "-1"`,
		`ONEAPP_COPILOT_TLS_CERTIFICATE and ONEAPP_COPILOT_TLS_KEY: set both or none`,
	}, "\n"), err.Error())
}

// The bounds that are promised to users, each with the first value beyond it.
func TestBoundsOfValues(t *testing.T) {
	of := func(length int) string { return strings.Repeat("x", length) }
	for name, bounds := range map[string]struct{ good, bad []string }{
		VarContextSize: {[]string{"512", "131072"}, []string{"511", "131073", "0", "1k"}},
		VarThreads:     {[]string{"0", "1024"}, []string{"-1", "1025"}},
		VarPassword:    {[]string{of(8), of(128), "!" + of(7) + "~"}, []string{of(7), of(129), of(7) + " ", of(7) + "\x7f", of(7) + "ä"}},
		VarReadTimeout: {[]string{"60", "86400"}, []string{"59", "86401"}},
		VarRateLimit:   {[]string{"0", "60000"}, []string{"-1", "60001"}},
	} {
		for _, value := range bounds.good {
			_, err := ParseSettings(map[string]string{name: value})
			assert.NoError(t, err, "%s=%q", name, value)
		}
		for _, value := range bounds.bad {
			_, err := ParseSettings(map[string]string{name: value})
			assert.ErrorContains(t, err, name, "%q", value)
		}
	}
}

// What is secret is left out of everything that is shown; what is not would be missed there.
func TestSecretVariables(t *testing.T) {
	var secrets []string
	for _, v := range Variables() {
		if v.Secret {
			secrets = append(secrets, v.Name)
		}
	}
	assert.Equal(t, []string{VarPassword, VarKey}, secrets)
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

// Sunstone finds the title of a group by the segment of the input's name.
func TestEveryGroupHasInputsAndEveryInputAGroup(t *testing.T) {
	inputs := map[string]int{}
	for _, v := range Variables() {
		segments := strings.Split(v.Input, "_")
		assert.Equal(t, InputApp().Name, segments[1], v.Input)
		inputs[segments[2]]++
	}
	for _, group := range InputGroups() {
		assert.Positive(t, inputs[group.Name], group.Name)
		delete(inputs, group.Name)
		assert.NotEmpty(t, group.Title)
		assert.NotContains(t, group.Description, `"`)
	}
	assert.Empty(t, inputs, "groups without a title")
}

func TestCheckDomain(t *testing.T) {
	for name, valid := range map[string]bool{
		"copilot.example.org":               true,
		"a.b":                               true,
		"xn--bcher-kva.example":             true,
		strings.Repeat("a", 63) + ".org":    true,
		strings.Repeat("a", 64) + ".org":    false,
		strings.Repeat("a.", 125) + "org":   true, // 253 characters
		strings.Repeat("a.", 125) + "orgs":  false,
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

// What oned made of each is in the recordings of internal/onedtest.
func TestCheckValue(t *testing.T) {
	for value, kept := range map[string]bool{
		"":                    true,
		"two\nlines, a\ttab":  true,
		`"quotes" <and> & \`:  true,
		"Ünïcödé ✓ 日本語\u00a0": true,
		"a ]]> b":             false,
		"a\r\nb":              false,
		"a\x01b":              false,
		"a\x7fb":              false,
		"a\xffb":              false,
		"rocket \U0001F680":   false,
	} {
		assert.Equal(t, kept, CheckValue(value) == nil, "%q", value)
	}
}
