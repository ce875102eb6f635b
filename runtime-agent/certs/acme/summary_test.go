package acme

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestSummary(t *testing.T) {
	for said, want := range map[string]string{
		"": "",
		"Saving debug log to /var/log/letsencrypt/letsencrypt.log\nAnother instance of Certbot is already running.\n": "Another instance of Certbot is already running.",
		`Saving debug log to /x
Requesting a certificate for copilot.example.org

Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  Domain: copilot.example.org
  Type:   connection
  Detail: 192.0.2.7: Timeout during connect

Hint: The Certificate Authority failed to download the temporary challenge files.

Some challenges have failed.
Ask for help or search for solutions at https://community.letsencrypt.org.
`: "Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems: Domain: copilot.example.org Type: connection Detail: 192.0.2.7: Timeout during connect",
	} {
		assert.Equal(t, want, summary([]byte(said)))
	}
}

func FuzzSummary(f *testing.F) {
	f.Add([]byte("a\n\x1b[31mb\r\n\xff"))
	f.Add([]byte(strings.Repeat("é", 300)))
	f.Fuzz(func(t *testing.T, output []byte) {
		text := summary(output)
		assert.LessOrEqual(t, len(text), maxSummary+len(" ..."))
		assert.True(t, utf8.ValidString(text))
		assert.NotContains(t, text, "\n")
		for _, r := range text {
			assert.True(t, unicode.IsPrint(r), "%q", text)
		}
	})
}
