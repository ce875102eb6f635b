package catalog

import (
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
)

func TestSiteIsGolden(t *testing.T) {
	for file, url := range map[string]string{
		"site-http.conf":     "http://apps.example.org:8080",
		"site-https.conf":    "https://apps.example.org",
		"site-loopback.conf": "http://127.0.0.1:18080",
	} {
		t.Run(file, func(t *testing.T) {
			site, err := renderSite("/srv/the market", baseURL(t, url))
			require.NoError(t, err)
			golden(t, file, site)
		})
	}
}

func TestListenFollowsTheURL(t *testing.T) {
	for url, want := range map[string]string{
		"http://apps.example.org":       "80",
		"https://apps.example.org":      "443",
		"https://apps.example.org:8443": "8443",
		"http://192.0.2.7:8080":         "8080",
		"http://127.0.0.1:8080":         "127.0.0.1:8080",
		"http://localhost":              "127.0.0.1:80",
		"http://[::1]:8080":             "[::1]:8080",
		"http://[2001:db8::1]":          "[::]:80",
	} {
		assert.Equal(t, want, baseURL(t, url).listen(), url)
	}
}

func TestParseBaseURLListsEveryMistake(t *testing.T) {
	_, err := ParseBaseURL("ftp://user:hush@bad_host:70000/path?query#fragment")
	require.Error(t, err)
	assert.Equal(t, strings.Join([]string{
		"must begin with http:// or https://",
		"must not hold credentials",
		"must name a host or an IP address",
		"must have a port from 1 to 65535 or none",
		"must end after the host or the port, without a slash, path, query or fragment",
	}, "; "), err.Error())
}

func TestParseBaseURL(t *testing.T) {
	for text, valid := range map[string]bool{
		"https://apps.example.org":      true,
		"http://localhost:8080":         true,
		"http://[2001:db8::1]:80":       true,
		"http://192.0.2.7":              true,
		"":                              false,
		"apps.example.org":              false,
		"//apps.example.org":            false,
		"https://":                      false,
		"https://apps.example.org/":     false,
		"https://apps.example.org?":     false,
		"https://apps.example.org#":     false,
		"https://apps.example.org:":     false,
		"https://apps.example.org:0":    false,
		"https://apps.example.org:x":    false,
		"https://user@apps.example.org": false,
		"https://a;b":                   false,
		"https://a b":                   false,
		"https://a..b":                  false,
		"https://-a":                    false,
		"https://a{}":                   false,
		"https://a\nlisten":             false,
		"http://[fe80::1%25eth0]":       false,
		"http://[::1":                   false,
		"file:///srv":                   false,
	} {
		_, err := ParseBaseURL(text)
		assert.Equal(t, valid, err == nil, "%q: %v", text, err)
	}
}

// Whatever is accepted stands unquoted in the nginx site.
func FuzzParseBaseURL(f *testing.F) {
	for _, text := range []string{"https://apps.example.org", "http://127.0.0.1:8080", "http://[::1]", "https://u:p@h/x?y#z"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		base, err := ParseBaseURL(text)
		if err != nil {
			return
		}
		assert.NotContains(t, base.String(), "\n")
		assert.Empty(t, strings.Trim(base.host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-"))
		assert.Empty(t, strings.Trim(base.listen(), "abcdef0123456789.:[]"))
	})
}

func TestCheckDirectory(t *testing.T) {
	for directory, valid := range map[string]bool{
		"dist/marketplace": true,
		"/srv/the market":  true,
		"/srv/Größe":       true,
		"":                 false,
		" ":                false,
		"/":                false,
		"//":               false,
		"/srv/$HOME":       false,
		`/srv/"x`:          false,
		`/srv/a\b`:         false,
		"/srv/{x}":         false,
		"/srv/a\nb":        false,
	} {
		assert.Equal(t, valid, CheckDirectory(directory) == nil, "%q", directory)
	}
}

// A home folder is closed to nginx's workers. The site says what to do, in a line that is
// pasted by root.
func TestTheSiteSaysHowToLetNginxIn(t *testing.T) {
	address := nginxtest.FreeAddress(t)
	home := filepath.Join(t.TempDir(), "it's a `home")
	require.NoError(t, os.Mkdir(home, 0o700))
	dir := filepath.Join(home, "dist", "market")
	publishAt(t, dir, "http://"+address, "1.0.0", newImage(t, t.TempDir(), 100))
	site, err := os.ReadFile(filepath.Join(dir, siteFile))
	require.NoError(t, err)
	nginxtest.RunAs(t, "www-data", site, address)
	status := func() int {
		response, _ := get(t, "http://"+address+"//appliance")
		return response.StatusCode
	}
	if os.Geteuid() == 0 { // Elsewhere the workers are the test's user, who may enter.
		require.Equal(t, http.StatusNotFound, status())
	}

	line := regexp.MustCompile(`(?m)^#   (d=.*)$`).FindSubmatch(site)
	require.NotNil(t, line)
	said, err := exec.CommandContext(t.Context(), "sh", "-c", string(line[1])).CombinedOutput()
	require.NoError(t, err, "%s", said)
	assert.Equal(t, http.StatusOK, status())
	info, err := os.Stat(home)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o701), info.Mode().Perm(), "others pass through, and see nothing")
}
