// Package nginx renders the site through which clients reach the engine, and has nginx
// test the result before it is used.
package nginx

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"text/template"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// Site is what differs between two virtual machines, and between one of them and a test.
type Site struct {
	// HTTPListen and HTTPSListen are arguments of "listen", such as "[::]:443".
	HTTPListen  []string
	HTTPSListen []string
	// Certificate, Key and WebRoot are paths.
	Certificate string
	Key         string
	WebRoot     string
	// Upstream is the engine's host and port.
	Upstream string
	// ReloadingFile is the path of a file that exists while the engine cannot answer. The
	// user of nginx's workers must be able to see it.
	ReloadingFile string
	// Password is what clients send, EngineKey what nginx sends to the engine instead.
	Password  string
	EngineKey string
	// CORSOrigins, ReadTimeout (whole seconds) and RateLimit are those of
	// appliance.Settings.
	CORSOrigins []string
	ReadTimeout time.Duration
	RateLimit   int
}

// Listen returns the arguments of "listen" for a port. nginx does not start if it has to
// listen on IPv6 and the kernel has none.
func Listen(port int, ipv6 bool) []string {
	listen := []string{fmt.Sprint(port)}
	if ipv6 {
		listen = append(listen, fmt.Sprintf("[::]:%d", port))
	}
	return listen
}

// Secrets matches the secrets in the text of a site.
var Secrets = regexp.MustCompile(`(\\x[0-9a-f]{2})+|Authorization "[^"]*"`)

// inUse matches the lines of a site that contain the password and the engine's key.
var (
	passwordInUse = regexp.MustCompile(`\(\?i:bearer\) \+((\\x[0-9a-f]{2})+)\$"`)
	keyInUse      = regexp.MustCompile(`proxy_set_header Authorization "Bearer ([0-9a-f]+)"`)
)

// SecretsInUse returns the password and the engine's key that a rendered site contains, "" for
// what it does not.
func SecretsInUse(site []byte) (password, engineKey string) {
	if found := passwordInUse.FindSubmatch(site); found != nil {
		text, _ := hex.DecodeString(strings.ReplaceAll(string(found[1]), `\x`, ""))
		password = string(text)
	}
	if found := keyInUse.FindSubmatch(site); found != nil {
		engineKey = string(found[1])
	}
	return password, engineKey
}

// guarded is a path that requires the password, and its one method. Those that generate text
// need the engine's backend, the others do not.
type guarded struct {
	Path, Method string
	Generates    bool
}

//go:embed *.conf.tmpl
var templateFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"regex": regex}).ParseFS(templateFiles, "*.conf.tmpl"))

// Render returns the site file. It contains both secrets.
func (s Site) Render() []byte {
	return render("site.conf.tmpl", map[string]any{
		"Site":         s,
		"Basic":        base64.StdEncoding.EncodeToString([]byte(appliance.APIUser + ":" + s.Password)),
		"Burst":        s.RateLimit - 1,
		"RetryLimited": s.retryLimited(), "RetryUnavailable": retryUnavailable,
		"Guarded": []guarded{
			{appliance.PathChat, "POST", true},
			{appliance.PathCompletions, "POST", true},
			{appliance.PathModels, "GET", false},
			{appliance.PathMetrics, "GET", false},
		},
		"Open":   []string{appliance.PathHealth, appliance.PathReadyz},
		"Errors": failures,
	})
}

// retryLimited is the time in seconds after which one more request is allowed.
func (s Site) retryLimited() int {
	if s.RateLimit == 0 {
		return retryUnauthorized
	}
	secondsPerRequest := (60 + s.RateLimit - 1) / s.RateLimit
	return max(secondsPerRequest, retryUnauthorized)
}

func render(name string, view map[string]any) []byte {
	maps.Copy(view, map[string]any{
		"Title": appliance.Title, "BodyLimit": bodyLimit,
		"PathCA": appliance.PathCA, "PathReadyz": appliance.PathReadyz,
		"PathChat": appliance.PathChat, "PathCompletions": appliance.PathCompletions,
	})
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, view); err != nil {
		panic(err) // a mistake in the template: it has no input that could cause one
	}
	return out.Bytes()
}

// regex escapes text so that a regular expression matches exactly its bytes, and so that
// nothing in it is quoting or a variable to nginx.
func regex(text string) string {
	var out strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&out, `\x%02x`, text[i])
	}
	return out.String()
}
