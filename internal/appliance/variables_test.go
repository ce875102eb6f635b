package appliance

import (
	"encoding/base64"
	"errors"
	"fmt"
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
	for _, hostile := range []string{
		"app://$host", "vscode-webview:// null", "https://[::1]:0443", "https://a:b@c", "http://[1.2.3.4]", "a+b://" + strings.Repeat("x", 300), "HTTPS://A/",
	} {
		f.Add(hostile)
	}
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
		VarKeys:        `alice:a:k"e'$\y{}#1 , ci: k7Ge9wQz2mXx`,
		VarDomain:      "Copilot.Example.ORG",

		VarACMEDirectory: "https://ca.example.org:14000/dir",
		VarACMECA:        testCertificate,
		VarACMEEmail:     "ops@example.org",
		VarCertificate:   base64.StdEncoding.EncodeToString([]byte("a description\n" + testCertificate + testCertificate)),
		VarKey:           testKey,
		VarCORSOrigins:   "https://ide.example.org, http://localhost:3000 http://[::1]:3000",
		VarReadTimeout:   "3600",
		VarRateLimit:     "60",
		VarWarmUp:        "YES",
		VarStablePrompts: "no",
	})
	require.NoError(t, err)
	assert.Equal(t, Settings{
		ContextSize: 131072, Threads: 16, Password: `p"a'$\s{w}#1`, Domain: "copilot.example.org",
		Keys:          []NamedKey{{"alice", `a:k"e'$\y{}#1`}, {"ci", "k7Ge9wQz2mXx"}},
		ACMEDirectory: "https://ca.example.org:14000/dir", ACMECA: []byte(testCertificate), ACMEEmail: "ops@example.org",
		Certificate: []byte(testCertificate + testCertificate), Key: []byte(testKey),
		CORSOrigins: []string{"http://[::1]:3000", "http://localhost:3000", "https://ide.example.org"},
		ReadTimeout: time.Hour, RateLimit: 60, WarmUp: true,
	}, got)
}

func TestParseSettingsListsEveryMistakeAndNoSecret(t *testing.T) {
	_, err := ParseSettings(map[string]string{
		VarContextSize: "511",
		VarThreads:     "many",
		VarPassword:    "hush hush hush",
		VarKeys:        "hush hush hush",
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
		`ONEAPP_COPILOT_KEYS: entry 1: must be a name, a colon and a key; a comma ends a key`,
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

// The bounds are numbers of the documentation, repeated here so that none moves unnoticed.
func TestBoundsOfValues(t *testing.T) {
	for name, bounds := range map[string]struct{ in, out []string }{
		VarContextSize: {[]string{"512", "131072"}, []string{"511", "131073", "-512", "1e3", "5 12"}},
		VarThreads:     {[]string{"0", "1024"}, []string{"-1", "1025"}},
		VarReadTimeout: {[]string{"60", "86400"}, []string{"59", "86401"}},
		VarRateLimit:   {[]string{"0", "60000"}, []string{"-1", "60001"}},
		VarWarmUp:      {[]string{"YES", "no"}, []string{"maybe", "1"}},
		VarPassword: {
			[]string{"k7Ge9wQz2!~x", strings.Repeat("k7Ge9wQz", 16)},
			[]string{"k7Ge9wQz2!~", strings.Repeat("k7Ge9wQz", 16) + "a", "with blanks inside", "a tab\tinside it", "\x7f7Ge9wQz2!~x", "Zungenbrecherwörter"},
		},
	} {
		for _, value := range bounds.in {
			_, err := ParseSettings(map[string]string{name: value})
			assert.NoError(t, err, "%s=%q", name, value)
		}
		for _, value := range bounds.out {
			_, err := ParseSettings(map[string]string{name: value})
			assert.ErrorContains(t, err, name+": must", "%q", value)
		}
	}
}

func TestPasswordMistakeNamesTheBounds(t *testing.T) {
	_, err := ParseSettings(map[string]string{VarPassword: "sesam"})
	assert.EqualError(t, err, VarPassword+": must have 12 to 128 characters, has 5")
}

func TestCommonPasswordsAreRefused(t *testing.T) {
	for _, value := range []string{
		"password1234", "Password123!", "P@ssw0rd1234", "p4$$w0rd!!!!", "qwertyuiop12", "1q2w3e4r5t6y", "123456789012", "aaaaaaaaaaaa",
		"abababababab", "letmein12345", "!welcome2026!", "adminadmin12", "iloveyou1234", "opennebula2026", "Copilot12345", "slm-copilot1", "passwordpassword",
		"1234567890-=", "1234-5678-9012", "$ummer2024!!", "0penNebula2024", "4dmin4dmin4dmin", "password123password", "trustno1trustno1", "letmein!letmein!",
		"copilot-2024-slm", "ONEAPP_COPILOT_PASSWORD", "qazwsxedcrfv", "123qweasdzxc", "1q2w3e4r5t6y7u", "!QAZ2wsx#EDC", "January2024!", "liverpool123", "aaabbbcccddd",
		"abcdefghijkl", "1qaz2wsx3edc", "changeme1234", "correcthorsebatterystaple", "098765432109",
	} {
		_, err := ParseSettings(map[string]string{VarPassword: value})
		assert.ErrorContains(t, err, "must not be a common password", value)
	}
	for _, value := range []string{"k7Ge9wQz2mXx", "tractor-lemon-37", "MyDogHatesBaths", "the-password-1", "Secret-Word-9!", "x9passwordq2w"} {
		_, err := ParseSettings(map[string]string{VarPassword: value})
		assert.NoError(t, err, value)
	}
}

func TestWhiteSpaceAroundAValueDoesNotCount(t *testing.T) {
	plain := map[string]string{
		VarModel: "small", VarContextSize: "4096", VarThreads: "2", VarPassword: "k7Ge9wQz2mXx", VarKeys: "a:tractor-lemon-37", VarDomain: "copilot.example.org",
		VarACMEDirectory: "https://ca.example.org/dir", VarACMECA: testCertificate, VarACMEEmail: "ops@example.org",
		VarCertificate: testCertificate, VarKey: testKey, VarCORSOrigins: "https://ide.example.org",
		VarReadTimeout: "60", VarRateLimit: "1", VarWarmUp: "YES", VarStablePrompts: "yes",
	}
	want, err := ParseSettings(plain)
	require.NoError(t, err)
	assert.Len(t, plain, len(Variables()))
	for _, space := range []string{" ", "\t", "\n", "\r\n", "\u00a0"} {
		spaced := map[string]string{}
		for name, value := range plain {
			spaced[name] = space + value + space
		}
		got, err := ParseSettings(spaced)
		require.NoError(t, err, "%q", space)
		assert.Equal(t, want, got, "%q", space)
	}
	blank, err := ParseSettings(map[string]string{VarThreads: " ", VarPassword: "\n", VarCertificate: " ", VarKey: ""})
	require.NoError(t, err)
	empty, err := ParseSettings(nil)
	require.NoError(t, err)
	assert.Equal(t, empty, blank)
}

func TestADotAtTheEndOfADomainIsForgiven(t *testing.T) {
	got, err := ParseSettings(map[string]string{VarDomain: "Copilot.example.org."})
	require.NoError(t, err)
	assert.Equal(t, "copilot.example.org", got.Domain)
	for _, name := range []string{"copilot.example.org..", ".", "org."} {
		_, err := ParseSettings(map[string]string{VarDomain: name})
		assert.Error(t, err, name)
	}
}

func TestOrigins(t *testing.T) {
	for value, want := range map[string][]string{
		"*":                        nil,
		"https://ide.example.org/": {"https://ide.example.org"},
		"HTTPS://IDE.example.org":  {"https://ide.example.org"},
		"https://a.example.org\r\nhttps://b.example.org,\thttps://a.example.org": {"https://a.example.org", "https://b.example.org"},
		"https://a.example.org:443 http://a.example.org:80":                      {"http://a.example.org", "https://a.example.org"},
		"http://a.example.org:443 https://a.example.org:080":                     {"http://a.example.org:443", "https://a.example.org:80"},
		"http://[0:0::1]:3000 http://127.0.0.1:65535":                            {"http://127.0.0.1:65535", "http://[::1]:3000"},
		"null": {"null"},
		"app://obsidian.md capacitor://localhost": {"app://obsidian.md", "capacitor://localhost"},
		"vscode-webview:// App://.":               {"app://.", "vscode-webview://"},
		"https://my_ide.example.org":              {"https://my_ide.example.org"},
		"https://" + strings.Repeat("a", 253):     {"https://" + strings.Repeat("a", 253)},
	} {
		got, err := ParseSettings(map[string]string{VarCORSOrigins: value})
		if assert.NoError(t, err, value) {
			assert.Equal(t, want, got.CORSOrigins, value)
		}
	}
	for _, value := range []string{
		"ide.example.org", "https://", "https:///", "https://a.example.org/path", "https://a.example.org//", "https://a.example.org:0", "https://a.example.org:65536",
		"https://a.example.org:", "https://*.example.org", "* https://a.example.org", "null/", "null://x", "file:///", "javascript:alert(1)", "app://a/b", "app://a;b", "app://$host",
		"http://[::1", "http://[::g]", "http://[1.2.3.4]", "https://user:hush@a.example.org", "https://" + strings.Repeat("a", 254), "app://" + strings.Repeat("a", 254), "://a", ", ,",
		strings.Repeat("https://a.example.org:1", 2),
	} {
		_, err := ParseSettings(map[string]string{VarCORSOrigins: value})
		if assert.ErrorContains(t, err, VarCORSOrigins+": must be an asterisk or origins", value) {
			assert.NotContains(t, err.Error(), "hush")
			assert.Less(t, len(err.Error()), 450, value)
		}
	}
	var many []string
	for port := range maxOrigins + 1 {
		many = append(many, fmt.Sprintf("https://a.example.org:%d", port+1))
	}
	_, err := ParseSettings(map[string]string{VarCORSOrigins: strings.Join(many, " ")})
	assert.ErrorContains(t, err, "must be at most 100 origins, has 101")
	_, err = ParseSettings(map[string]string{VarCORSOrigins: strings.Join(many[1:], " ")})
	assert.NoError(t, err)
}

// OpenNebula passes on what it does not know.
func TestAReferenceThatWasNotReplacedIsRefused(t *testing.T) {
	for _, value := range []string{"$ONEAPP_COPILOT_ACCESS_PASSWORD", " ${ONEAPP_COPILOT_ACCESS_PASSWORD}", "$NETWORK[GATEWAY]"} {
		for _, name := range []string{VarPassword, VarKeys, VarThreads, VarDomain} {
			_, err := ParseSettings(map[string]string{name: value})
			assert.ErrorContains(t, err, name+": must be a value; this is a reference that OpenNebula did not replace", value)
		}
	}
}

func TestTheNameOfAnInputSetsItsVariable(t *testing.T) {
	got, err := ParseSettings(map[string]string{"ONEAPP_COPILOT_ACCESS_PASSWORD": "k7Ge9wQz2mXx", "ONEAPP_COPILOT_MODEL_THREADS": "3"})
	require.NoError(t, err)
	assert.Equal(t, "k7Ge9wQz2mXx", got.Password)
	assert.Equal(t, 3, got.Threads)

	both := map[string]string{VarPassword: "tractor-lemon-37", "ONEAPP_COPILOT_ACCESS_PASSWORD": "k7Ge9wQz2mXx"}
	got, err = ParseSettings(both)
	require.NoError(t, err)
	assert.Equal(t, "tractor-lemon-37", got.Password)
	assert.Equal(t, []string{"ONEAPP_COPILOT_ACCESS_PASSWORD is not used, because ONEAPP_COPILOT_PASSWORD is set too"}, Doubts(both))

	_, err = ParseSettings(map[string]string{"ONEAPP_COPILOT_ACCESS_PASSWORD": "short"})
	assert.ErrorContains(t, err, VarPassword+": must have 12")
}

func TestADollarInAValueIsDoubted(t *testing.T) {
	assert.Empty(t, Doubts(map[string]string{VarPassword: "k7Ge9wQz2mXx", VarDomain: "a.example.org"}))
	doubts := Doubts(map[string]string{VarPassword: "k7Ge9$wQz2mXx"})
	require.Len(t, doubts, 1)
	assert.Contains(t, doubts[0], VarPassword+" contains a $: onevm updateconf takes")
	assert.NotContains(t, doubts[0], "k7Ge9")
}

func TestAMessageRepeatsLittleOfAValueAndNoCredentials(t *testing.T) {
	for name, value := range map[string]string{
		VarThreads:       strings.Repeat("many\n", 1000),
		VarDomain:        "https://user:hush@copilot.example.org/" + strings.Repeat("x", 1000),
		VarACMEDirectory: "https://user:hu/sh@sh@ca.example.org/dir",
		VarCORSOrigins:   "https://user:hush@" + strings.Repeat("x", 1000),
		VarACMEEmail:     "\x1b[31mops",
	} {
		_, err := ParseSettings(map[string]string{name: value})
		require.Error(t, err, name)
		assert.Less(t, len(err.Error()), 400, name)
		assert.NotContains(t, err.Error(), "\n", name)
		assert.NotContains(t, err.Error(), "\x1b", name)
		assert.NotContains(t, err.Error(), "hush", name)
		assert.NotContains(t, err.Error(), "sh@", name)
	}
}

// A secret is left out of templates and messages; all else may be shown.
func TestSecretsArePasswordsAndKeys(t *testing.T) {
	var secrets []string
	for _, v := range Variables() {
		if v.Secret {
			secrets = append(secrets, v.Name)
			assert.NotContains(t, v.mistake("hush", errors.New("must be another")).Error(), "hush", v.Name)
		}
		assert.Equal(t, v.Name == VarPassword || v.Name == VarKeys, v.Type == InputPassword, "%s: Sunstone hides what is typed", v.Name)
	}
	assert.Equal(t, []string{VarPassword, VarKeys, VarKey}, secrets)
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

func TestModelsAreOfferedIfThereIsAChoice(t *testing.T) {
	for _, models := range [][]string{nil, {"large"}} {
		offered := VariablesFor(models)
		assert.Len(t, offered, len(Variables())-1)
		assert.NotEqual(t, VarModel, offered[0].Name)
	}
	offered := VariablesFor([]string{"large", "small"})
	require.Len(t, offered, len(Variables()))
	assert.Equal(t, "O|list|Model to serve, of those that the appliance contains. Empty for the first one.|large,small|large", offered[0].UserInput())
	assert.Empty(t, Variables()[0].Options, "the table itself stays")
}

func TestIDsOfModels(t *testing.T) {
	for _, id := range []string{"qwen2.5-coder-7b", "A_b", "7"} {
		settings, err := ParseSettings(map[string]string{VarModel: id})
		require.NoError(t, err)
		assert.Equal(t, id, settings.Model)
	}
	for _, id := range []string{"../etc/passwd", ".hidden", "a b", "a,b", "a|b", "-a", strings.Repeat("a", 129)} {
		_, err := ParseSettings(map[string]string{VarModel: id})
		assert.ErrorContains(t, err, VarModel+": must be the id of a model", id)
	}
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
		"a.1b":                              true,
		"a.1":                               false,
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

func TestCheckObjectNameRefusesEachForbiddenCharacter(t *testing.T) {
	for _, forbidden := range strings.Split("&|:\\\";/'#{}$<>\t\n\v\f\r", "") {
		assert.ErrorContains(t, CheckObjectName("a"+forbidden+"b"), "must not hold any of", "%q", forbidden)
	}
}

func TestVersionPattern(t *testing.T) {
	for name, valid := range map[string]bool{
		"1.0.0":                 true,
		"v4.9.0-rc.1+b_2~3":     true,
		strings.Repeat("a", 64): true,
		strings.Repeat("a", 65): false,
		"":                      false,
		".hidden":               false,
		"-option":               false,
		"a/b":                   false,
		"a b":                   false,
		"a\n":                   false,
	} {
		assert.Equal(t, valid, VersionPattern.MatchString(name), "%q", name)
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
		"copilot \uFFFD":            true,
		"copilot \U00010000":        false,
		strings.Repeat("ä", 64):     true,
		"curly {brace}":             false,
		"slash/in/name":             false,
		"dots . .. , = [ ] ( ) @ +": true,
	} {
		assert.Equal(t, valid, CheckObjectName(name) == nil, "%q", name)
	}
}

// The command line of OpenNebula 7.4.0 ends at a question of this type where Ruby does not
// load base64 by itself (src/cli/one_helper.rb, uninitialized constant OpenNebulaHelper::Base64).
func TestNoInputIsOfTheTypeThatEndsTheCommandLine(t *testing.T) {
	for _, v := range Variables() {
		assert.NotEqual(t, InputType("text64"), v.Type, v.Name)
	}
}
